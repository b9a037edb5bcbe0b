using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using VolumeManager.Linux;
using VolumeManager.Tests.Admin;
using VolumeManager.Tests.Commands;
using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Doctor;

/// <summary>A host whose daemon is asked what is wrong with it.</summary>
internal static class Patient
{
    /// <summary>A finding as the admin API tells it.</summary>
    internal sealed record Told(string Code, string Severity, string Subject, string Problem, string Cure, bool Repairable, bool NeedsConsent, string? Failure)
    {
        internal static IReadOnlyList<Told> ListOf(JsonElement answer, string key) => [.. answer.GetProperty(key).EnumerateArray().Select(f => new Told(
            Assert.Single(DocumentedCodes.All, code => code == f.GetProperty("code").GetString()), f.GetProperty("severity").GetString()!, f.GetProperty("subject").GetString()!, f.GetProperty("problem").GetString()!, f.GetProperty("cure").GetString()!,
            f.GetProperty("repairable").GetBoolean(), f.GetProperty("needs_consent").GetBoolean(), f.GetProperty("failure").GetString()))];
    }

    /// <summary>What the machine that the tests run on cannot help: that is as much the case before any damage is done.</summary>
    static bool IsOfTheMachine(Told finding) =>
        (finding.Code == "mounts-unseen" && !MountPropagation.ReachesInit("/")) || (finding.Code == "containers-unseen" && !MountNamespaces.AreSeen) || finding.Code is "engine-unreachable" or "socket-elsewhere";

    internal static async Task<IReadOnlyList<Told>> DiagnoseAsync(this TestHost host) => [.. (await AskAsync(host)).Where(f => !IsOfTheMachine(f))];

    static async Task<IReadOnlyList<Told>> AskAsync(TestHost host)
    {
        using var asks = OperatorClient.Of(host);
        var reply = await asks.SendAsync("GET", "/v1/doctor");
        Assert.Equal("", reply.Detail);
        return Told.ListOf(reply.Json, "findings");
    }

    /// <summary>What <c>volman doctor</c> finds where no daemon answers.</summary>
    /// <param name="database">The connection string that its configuration has; null for the host's own.</param>
    internal static async Task<IReadOnlyList<Told>> DiagnoseAloneAsync(this TestHost host, string? database = null)
    {
        var ended = await VolmanProcess.RunAsync(["doctor", "--output", "json"], Variables(host, database));
        Assert.Equal((3, ""), (ended.ExitCode, ended.Errors));
        return Told.ListOf(JsonElement.Parse(ended.Output), "findings");
    }

    /// <summary>A host's settings as the environment gives them to a command.</summary>
    internal static Dictionary<string, string> Variables(TestHost host, string? database = null) => new()
    {
        ["VOLMAN_STATE_DIR"] = host.Settings.StateDirectory,
        ["VOLMAN_DATA_ROOT"] = host.Settings.DataRoot,
        ["VOLMAN_MOUNT_ROOT"] = host.Settings.MountRoot,
        ["VOLMAN_SOCKET"] = host.Settings.Socket,
        ["VOLMAN_ADMIN_SOCKET"] = host.Settings.AdminSocket,
        ["VOLMAN_DATABASE"] = database ?? host.Settings.Database,
    };

    /// <summary>All findings of a code, whatever else is wrong, and whatever the machine cannot help.</summary>
    internal static async Task<IReadOnlyList<Told>> FindAllAsync(this TestHost host, string code, string severity) => Only(code, severity, await AskAsync(host));

    /// <summary>The same where no daemon answers.</summary>
    internal static async Task<IReadOnlyList<Told>> FindAloneAsync(this TestHost host, string code, string severity, string? database = null) => Only(code, severity, await host.DiagnoseAloneAsync(database));

    static List<Told> Only(string code, string severity, IReadOnlyList<Told> all)
    {
        var found = all.Where(f => f.Code == code).ToList();
        Assert.True(found.Count > 0, $"{code} is not among {string.Join(", ", all.Select(f => f.Code))}");
        Assert.All(found, f => Assert.Equal(severity, f.Severity));
        return found;
    }

    /// <summary>The one thing that is wrong.</summary>
    internal static async Task<Told> FindOneAsync(this TestHost host, string code, string severity)
    {
        var finding = Assert.Single(await host.DiagnoseAsync());
        Assert.Equal((code, severity), (finding.Code, finding.Severity));
        return finding;
    }

    /// <param name="body">The request; without one all is repaired that needs no consent.</param>
    internal static async Task<(IReadOnlyList<Told> Repaired, IReadOnlyList<Told> Left)> RepairAsync(this TestHost host, string body = "{}")
    {
        using var asks = OperatorClient.Of(host);
        var reply = await asks.SendAsync("POST", "/v1/doctor", body);
        Assert.Equal("", reply.Detail);
        return (Told.ListOf(reply.Json, "repaired"), [.. Told.ListOf(reply.Json, "findings").Where(f => !IsOfTheMachine(f))]);
    }

    /// <summary>The one thing that is wrong is found, told how it is repaired, and repaired; then nothing is wrong.</summary>
    internal static async Task HealsAsync(this TestHost host, string code, string severity, string problem, string cure)
    {
        var found = await host.FindOneAsync(code, severity);
        Assert.Contains(problem, found.Problem, StringComparison.Ordinal);
        Assert.Contains(cure, found.Cure, StringComparison.Ordinal);
        Assert.True(found.Repairable);
        var (repaired, left) = await host.RepairAsync();
        Assert.Equal(found, Assert.Single(repaired));
        Assert.Empty(left);
    }

    /// <summary>The one thing that is wrong is found and told; it is for people to put right, and an order to repair changes nothing.</summary>
    internal static async Task TellsAsync(this TestHost host, string code, string severity, string problem, string cure)
    {
        var found = await host.FindOneAsync(code, severity);
        Assert.Contains(problem, found.Problem, StringComparison.Ordinal);
        Assert.Contains(cure, found.Cure, StringComparison.Ordinal);
        Assert.False(found.Repairable);
        var (repaired, left) = await host.RepairAsync();
        Assert.Empty(repaired);
        Assert.Equal(found, Assert.Single(left));
    }

    /// <summary>Somebody changes the catalog by hand.</summary>
    internal static async Task<int> EditAsync(this TestHost host, string sql)
    {
        await using var db = host.OpenCatalog();
        return await db.Database.ExecuteSqlRawAsync(sql);
    }
}
