using System.CommandLine;
using VolumeManager.Admin;

namespace VolumeManager.Commands;

/// <summary><c>volman token</c>: who may ask over TLS. Asks the daemon of this host, over its socket alone.</summary>
internal static class TokenCommand
{
    static readonly string[] s_keys = ["admin-socket"];

    internal static Command Build() => new("token", "Who may ask the admin API over TLS (admin-listen)") { BuildList(), BuildCreate(), BuildRemove() };

    static Command BuildList()
    {
        var output = new OutputOption();
        var command = new Command("ls", "List the tokens; what they are themselves is not known") { output };
        var flags = SettingsBinder.AddFlags(command, s_keys);
        command.SetAction((parsed, cancellation) => CommandLine.RunAsync(async () =>
        {
            using var daemon = AdminFlags.Open(parsed, flags);
            output.Write(parsed, await daemon.ListTokensAsync(cancellation), AdminJson.Default.IReadOnlyListTokenView, Write);
        }));
        return command;
    }

    static void Write(IReadOnlyList<TokenView> tokens) => Table.Write(
    [
        ["NAME", "ROLE", "CREATED", "BY", "EXPIRES"],
        .. tokens.Select(t => (string[])[t.Name, t.Role, $"{t.CreatedAt:u}", t.CreatedBy, t.ExpiresAt is { } end ? $"{end:u}{(end < DateTime.UtcNow ? " (over)" : "")}" : "never"]),
    ]);

    static Command BuildCreate()
    {
        var name = NameArgument("Whose it is, for the history");
        var role = new Option<string>("--role") { Description = "viewer, who may ask, or operator, who may change as well", HelpName = "role", Required = true };
        role.AcceptOnlyFromAmong("viewer", "operator");
        var expires = new Option<string?>("--expires") { Description = "After how long it opens nothing any more, such as 90d [default: never]", HelpName = "duration" };
        expires.Validators.Add(given =>
        {
            try
            {
                if (given.GetValueOrDefault<string?>() is { } text && Setting.Duration(text) <= TimeSpan.Zero) given.AddError("--expires is longer than zero");
            }
            catch (FormatException e)
            {
                given.AddError($"--expires: {e.Message}");
            }
        });
        var dryRun = new Option<bool>("--dry-run") { Description = "Only tell whether it could be made" };
        var command = new Command("create", "Make a token, and print it this once: it is written down nowhere") { name, role, expires, dryRun };
        var flags = SettingsBinder.AddFlags(command, s_keys);
        command.SetAction((parsed, cancellation) => CommandLine.RunAsync(async () =>
        {
            using var daemon = AdminFlags.Open(parsed, flags);
            var until = parsed.GetValue(expires) is { } time ? DateTime.UtcNow + Setting.Duration(time) : default(DateTime?);
            var made = await daemon.CreateTokenAsync(new TokenRequest(parsed.GetValue(name)!, parsed.GetValue(role)!, until, parsed.GetValue(dryRun)), cancellation);
            Console.WriteLine(made.Token ?? $"Token {made.Name} would be made, with the role {made.Role}; it would {(made.ExpiresAt is { } end ? $"expire {end:u}" : "not expire")}.");
        }));
        return command;
    }

    static Command BuildRemove()
    {
        var name = NameArgument("The token's name");
        var dryRun = new Option<bool>("--dry-run") { Description = "Only tell whether there is one to revoke" };
        var command = new Command("rm", "Revoke a token: within half a minute it opens nothing any more, on no host") { name, dryRun };
        var flags = SettingsBinder.AddFlags(command, s_keys);
        command.SetAction((parsed, cancellation) => CommandLine.RunAsync(async () =>
        {
            using var daemon = AdminFlags.Open(parsed, flags);
            var removed = await daemon.RemoveTokenAsync(parsed.GetValue(name)!, parsed.GetValue(dryRun), cancellation);
            Console.WriteLine($"Token {removed.Name} {(parsed.GetValue(dryRun) ? "would be" : "is")} revoked.");
        }));
        return command;
    }

    static Argument<string> NameArgument(string description)
    {
        var argument = new Argument<string>("name") { Description = description };
        argument.Validators.Add(AdminFlags.CheckNames);
        return argument;
    }
}
