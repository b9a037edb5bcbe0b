using System.CommandLine;
using System.CommandLine.Parsing;
using System.Security.Cryptography.X509Certificates;
using VolumeManager.Admin;
using VolumeManager.Catalog;
using VolumeManager.Volumes;

namespace VolumeManager.Commands;

/// <summary>How the verbs that ask the daemon find it.</summary>
internal static class AdminFlags
{
    internal static readonly string[] Keys = ["admin-socket", "admin-url", "admin-ca", "token-file"];

    /// <summary>No setting, for a flag shows in the list of processes.</summary>
    internal const string TokenVariable = "VOLMAN_TOKEN";

    /// <summary>Refuses what can be neither a name nor an id: in an address it could mean something else.</summary>
    internal static void CheckNames(ArgumentResult named)
    {
        foreach (var token in named.Tokens)
        {
            if (!VolumeName.IsValid(token.Value) && !Guid.TryParse(token.Value, out _)) named.AddError(VolumeName.Refusal(token.Value));
        }
    }

    /// <summary>The filters that were given, as a request has them behind its question mark.</summary>
    internal static string Query(params (string Key, string? Value)[] filters) =>
        string.Join('&', filters.Where(f => f.Value is not null).Select(f => $"{f.Key}={Uri.EscapeDataString(f.Value!)}"));

    internal static AdminClient Open(ParseResult parsed, Dictionary<string, Option<string?>> flags) =>
        Open(SettingsBinder.Bind(parsed, flags).Settings);

    internal static AdminClient Open(Settings settings) => new(settings.AdminUrl is null
        ? AdminLink.OverSocket(settings.AdminSocket)
        : AdminLink.OverTls(settings.AdminUrl, TokenOf(settings), settings.AdminCa.Length > 0 ? AuthoritiesOf(settings.AdminCa) : null));

    static string TokenOf(Settings settings)
    {
        var (source, token) = settings.TokenFile.Length > 0 ? (settings.TokenFile, Read(settings.TokenFile).Trim()) : (TokenVariable, Environment.GetEnvironmentVariable(TokenVariable) ?? "");
        if (token.Length == 0) throw new VolumeException($"{settings.AdminUrl} wants a token: put one into VOLMAN_TOKEN, or name its file with --token-file; volman token create makes one");
        return AccessToken.IsOne(token) ? token : throw new VolumeException($"{source} holds no token of volman token create, which begins with {AccessToken.Prefix}: put one there");
    }

    static X509Certificate2Collection AuthoritiesOf(string path)
    {
        var authorities = new X509Certificate2Collection();
        authorities.ImportFromPem(Read(path));
        return authorities.Count > 0 ? authorities : throw new VolumeException($"the file {path} holds no certificate: name a PEM file of --admin-ca's");
    }

    static string Read(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new VolumeException($"the file {path} cannot be read ({e.Message.TrimEnd('.')}): see to it, or name another", e);
        }
    }
}
