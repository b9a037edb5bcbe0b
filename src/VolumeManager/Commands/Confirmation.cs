namespace VolumeManager.Commands;

/// <summary>Asks before something is destroyed that nobody gets back.</summary>
internal static class Confirmation
{
    /// <param name="deed">As "delete the data of shop for good".</param>
    /// <exception cref="VolumeException">The answer is not yes, or there is nobody to ask.</exception>
    internal static void Ask(string deed)
    {
        if (Console.IsInputRedirected || Console.IsOutputRedirected) throw new VolumeException($"this would {deed}, and there is no terminal to ask whether it should: say --yes");
        Console.Write($"{char.ToUpperInvariant(deed[0])}{deed[1..]}? [y/N] ");
        if (Console.ReadLine()?.Trim() is not ("y" or "Y" or "yes")) throw new VolumeException("nothing was deleted");
    }
}
