using System.Text.Json;
using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Usage;

/// <summary>What a volume holds, by those who may say so.</summary>
internal static class Figures
{
    /// <summary>A host that looks for volumes to measure all the time, each of which is due at such intervals.</summary>
    internal static Settings Measuring(this Settings settings, TimeSpan interval) =>
        settings with { ReconcileInterval = TimeSpan.FromMilliseconds(20), UsageInterval = interval };

    /// <summary>As du(1) says: bytes and files.</summary>
    internal static async Task<string> DuAsync(string path)
    {
        var bytes = (await Command.OutputOfAsync("du", "-s", "--block-size=1", path)).Split('\t')[0];
        return $"{bytes} {(await Command.OutputOfAsync("du", "-s", "--inodes", path)).Split('\t')[0]}";
    }

    /// <summary>As Status says; empty while it says nothing.</summary>
    internal static async Task<string> StatusAsync(this TestHost host, string volume)
    {
        var status = (await host.Engine.GetAsync(volume)).Json.GetProperty("Volume").GetProperty("Status");
        var told = new[] { "UsedBytes", "UsedFiles", "UsedAt" }.Count(key => status.TryGetProperty(key, out _));
        Assert.True(told is 0 or 3, "all or none is told");
        if (told == 0) return "";
        Assert.Equal(JsonValueKind.String, status.GetProperty("UsedAt").ValueKind);
        Assert.InRange(status.GetProperty("UsedAt").GetDateTime(), DateTime.UtcNow.AddHours(-1), DateTime.UtcNow.AddMinutes(1));
        return $"{status.GetProperty("UsedBytes").GetString()} {status.GetProperty("UsedFiles").GetString()}";
    }

    internal static Task MeasuredAsync(this TestHost host, string volume) => Poll.UntilAsync($"{volume} is measured", async () => await host.StatusAsync(volume) != "");

    /// <summary>Waits until what was due by now has been looked at: a new volume, which comes first, is measured so many times.</summary>
    internal static async Task PassedAsync(this TestHost host, int passes = 3)
    {
        for (var i = 0; i < passes; i++)
        {
            var name = $"probe-{Guid.NewGuid():N}";
            Assert.Equal("", await host.Engine.CreateAsync(name));
            await host.MeasuredAsync(name);
            Assert.Equal("", await host.Engine.RemoveAsync(name));
        }
    }
}
