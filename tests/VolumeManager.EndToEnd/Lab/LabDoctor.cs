using System.Text.Json;

namespace VolumeManager.EndToEnd.Lab;

/// <summary><c>volman doctor</c> on a host of the laboratory.</summary>
internal static class LabDoctor
{
    /// <summary>What the doctor finds of a code, each as its severity, subject, problem and cure.</summary>
    internal static Task<IReadOnlyList<JsonElement>> DiagnoseAsync(this LabHost host, string code, string options = "") => host.DiagnoseAsync(f => f.GetProperty("code").GetString() == code, options);

    internal static async Task<IReadOnlyList<JsonElement>> DiagnoseAsync(this LabHost host, Func<JsonElement, bool> isMeant, string options = "")
    {
        var told = await host.TryAsync($"/srv/volman/volman doctor --output json {options}");
        Assert.True(told.ExitCode is 0 or 3, told.Errors);
        return [.. JsonElement.Parse(told.Output).GetProperty("findings").EnumerateArray().Where(isMeant)];
    }

    /// <summary>It is found and told; it is for people to put right, and an order to repair changes nothing.</summary>
    internal static async Task TellsAsync(this LabHost host, string code, string severity, string problem, string cure)
    {
        foreach (var options in new[] { "", "--repair --yes" })
        {
            var findings = await host.DiagnoseAsync(code, options);
            Assert.True(findings.Count == 1, $"{findings.Count} findings: {string.Join("; ", findings.Select(f => f.GetProperty("problem").GetString()))}");
            var found = findings[0];
            Assert.Equal((severity, false), (found.GetProperty("severity").GetString(), found.GetProperty("repairable").GetBoolean()));
            Assert.Contains(problem, found.GetProperty("problem").GetString(), StringComparison.Ordinal);
            Assert.Contains(cure, found.GetProperty("cure").GetString(), StringComparison.Ordinal);
        }
    }

    /// <summary>Once it was put right it is not found any more.</summary>
    internal static Task IsWellAsync(this LabHost host, string code) => Poll.UntilAsync($"no {code} is left", async () => (await host.DiagnoseAsync(code)).Count == 0);
}
