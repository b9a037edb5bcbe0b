using System.CommandLine;
using VolumeManager.Admin;
using VolumeManager.Diagnosis;
using VolumeManager.Volumes;

namespace VolumeManager.Commands;

/// <summary><c>volman doctor</c>: what differs between catalog, kernel, exports and engine, and what is wrong with the set-up. Asks the daemon; without one it looks at what it can see itself.</summary>
internal static class DoctorCommand
{
    // Where something could not be looked at nobody knows that it is well.
    static readonly string[] s_unseen = ["daemon-away", "check-failed", "catalog-away"];

    /// <summary>The exit code that says: something is wrong still. Notes are not counted.</summary>
    internal const int Unhealthy = 3;

    internal static Command Build()
    {
        var repair = new Option<bool>("--repair") { Description = "Repair what can be repaired safely; without it nothing is changed" };
        var yes = new Option<bool>("--yes", "-y") { Description = "With --repair: do not ask before claims are dropped that nothing volman sees needs" };
        var dryRun = new Option<bool>("--dry-run") { Description = "With --repair: only tell what is wrong and what would be done about it, as without" };
        var only = new Option<string[]>("--only") { Description = "Only findings of these codes, see docs/doctor.md; and what could not be looked at", HelpName = "code", AllowMultipleArgumentsPerToken = true };
        var ignore = new Option<string[]>("--ignore") { Description = "All findings but those of these codes", HelpName = "code", AllowMultipleArgumentsPerToken = true };
        foreach (var codes in new[] { only, ignore })
        {
            codes.CompletionSources.Add([.. Finding.Codes]);
            codes.Validators.Add(given =>
            {
                foreach (var code in given.GetValueOrDefault<string[]>()!.Except(Finding.Codes)) given.AddError($"{codes.Name} {Quoted.Text(code)} is no code: see docs/doctor.md");
            });
        }

        var output = new OutputOption("text");
        var command = new Command("doctor", "Tell what is wrong with this host's volumes and their set-up, and repair it; the exit code is 0 when nothing is, 3 when something is and stays") { repair, yes, dryRun, only, ignore, output };
        var flags = SettingsBinder.AddFlags(command, AdminFlags.Keys);
        command.SetAction(async (parsed, cancellation) =>
        {
            var isHealthy = false;
            bool IsAsked(FindingView f) => (parsed.GetValue(only) is not { Length: > 0 } codes || codes.Contains(f.Code) || s_unseen.Contains(f.Code)) && parsed.GetValue(ignore)?.Contains(f.Code) != true;
            var failed = await CommandLine.RunAsync(async () =>
            {
                var answer = await ExamineAsync(parsed, flags, parsed.GetValue(repair) && !parsed.GetValue(dryRun) ? parsed.GetValue(yes) : null, IsAsked, cancellation);
                answer = answer with { Findings = [.. answer.Findings.Where(IsAsked)] };
                isHealthy = answer.Findings.All(f => f.Severity == "note");
                output.Write(parsed, answer, DoctorJson.Default.DoctorAnswer, Write);
            });
            return failed != 0 ? failed : isHealthy ? 0 : Unhealthy;
        });
        return command;
    }

    /// <param name="consent">Null to change nothing.</param>
    static async Task<DoctorAnswer> ExamineAsync(ParseResult parsed, Dictionary<string, Option<string?>> flags, bool? consent, Func<FindingView, bool> isAsked, CancellationToken cancellation)
    {
        var (settings, _) = SettingsBinder.Bind(parsed, flags);
        using var daemon = AdminFlags.Open(settings);
        DoctorAnswer found;
        try
        {
            found = await daemon.DiagnoseAsync(cancellation);
        }
        // Who may not ask the daemon may not look for himself either, and another host's set-up cannot be seen from here.
        catch (VolumeException e) when (Environment.IsPrivilegedProcess && settings.AdminUrl is null)
        {
            return await LookAloneAsync(e.Message, settings, cancellation);
        }

        var repairable = found.Findings.Where(f => f.Repairable && isAsked(f)).ToList();
        if (consent is null || repairable.Count == 0) return found;
        var codes = repairable.Select(f => f.Code).Distinct().ToList();
        // What has come since was not shown to whoever consents.
        List<string>? subjects = consent.Value ? null : [.. repairable.Select(f => f.Subject).Distinct()];
        return await daemon.RepairAsync(new RepairRequest(codes, consent.Value || repairable.Exists(f => f.NeedsConsent) && Consents(repairable), subjects), cancellation);
    }

    static bool Consents(List<FindingView> repairable)
    {
        var asked = repairable.Where(f => f.NeedsConsent).ToList();
        if (Console.IsInputRedirected || Console.IsOutputRedirected)
        {
            Console.Error.WriteLine($"volman: {(asked.Count == 1 ? "one repair needs" : $"{asked.Count} repairs need")} consent, and there is no terminal to ask for it: say --yes");
            return false;
        }

        foreach (var f in asked) Console.WriteLine($"{Sentence(f.Problem)} The repair {Table.OneLine(f.Cure)}.");
        Console.Write($"Do so for {(asked.Count == 1 ? "this one" : $"all {asked.Count}")}? [y/N] ");
        return Console.ReadLine()?.Trim() is "y" or "Y" or "yes";
    }

    static async Task<DoctorAnswer> LookAloneAsync(string why, Settings settings, CancellationToken cancellation)
    {
        List<FindingView> found = [new("daemon-away", "error", settings.AdminSocket, $"the daemon cannot be asked ({why}), so only its set-up was looked at", "start volman serve, or see its log", Repairable: false, NeedsConsent: false, null)];
        // Nobody is there to repair them.
        await foreach (var finding in new SetUpChecks(settings).LookAloneAsync(cancellation)) found.Add(FindingView.Of(finding with { Repair = null }));
        return new DoctorAnswer(settings.HostName, [], found);
    }

    static void Write(DoctorAnswer answer)
    {
        foreach (var f in answer.Repaired) Console.WriteLine($"REPAIRED  {f.Code}  {Table.OneLine(f.Subject)}\n    {Sentence(f.Problem)}");
        foreach (var group in answer.Findings.GroupBy(f => f.Severity))
        {
            foreach (var f in group)
            {
                Console.WriteLine($"{f.Severity.ToUpperInvariant(),-8}  {f.Code}  {Table.OneLine(f.Subject)}\n    {Sentence(f.Problem)}\n    {(f.Repairable ? "--repair" : "By hand:")} {Table.OneLine(f.Cure)}.");
                if (f.Failure is not null) Console.WriteLine($"    The repair failed: {Table.OneLine(f.Failure)}.");
            }
        }

        var counts = answer.Findings.CountBy(f => f.Severity).ToDictionary();
        Console.WriteLine(counts.Count == 0
            ? $"Nothing is wrong with host {answer.Host}."
            : $"Host {answer.Host}: {string.Join(", ", counts.Select(c => $"{c.Value} {c.Key}{(c.Value == 1 ? "" : "s")}"))}; {answer.Findings.Count(f => f.Repairable)} can be repaired with --repair.");
    }

    static string Sentence(string problem) => $"{char.ToUpperInvariant(problem[0])}{Table.OneLine(problem[1..])}.";
}
