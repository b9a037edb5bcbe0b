using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Docker;

/// <summary>One host for all tests of a class, with a volume <c>kept</c> on it. Such tests make volumes of their own names.</summary>
public sealed class RunningHost : IAsyncLifetime
{
    // Some tests say that an engine has come: what others of the class have mounted is not dropped meanwhile.
    public TestHost Host { get; } = new();

    public async Task InitializeAsync()
    {
        Host.Settings = Host.Settings with { EngineGrace = TimeSpan.FromHours(1) };
        await Host.StartAsync();
        Assert.Equal("", await Host.Engine.CreateAsync("kept"));
    }

    public async Task DisposeAsync() => await Host.DisposeAsync();
}
