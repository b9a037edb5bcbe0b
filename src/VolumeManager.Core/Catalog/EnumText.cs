using System.Text.Json;

namespace VolumeManager.Catalog;

/// <summary>Enumerations as users and tables spell them: <c>SingleHost</c> is <c>single-host</c>.</summary>
internal static class EnumText
{
    public static string Of<T>(T value)
        where T : struct, Enum => Texts<T>.All[Convert.ToInt32(value)];

    /// <summary>Null for a text that names no value.</summary>
    public static T? Parse<T>(string text)
        where T : struct, Enum => Array.IndexOf(Texts<T>.All, text) is >= 0 and var i ? (T)Enum.ToObject(typeof(T), i) : null;

    /// <summary>All texts, in order, for messages.</summary>
    public static string Choices<T>()
        where T : struct, Enum => string.Join(", ", Texts<T>.All);

    static class Texts<T>
        where T : struct, Enum
    {
        internal static readonly string[] All = Array.ConvertAll(Enum.GetNames<T>(), JsonNamingPolicy.KebabCaseLower.ConvertName);
    }
}
