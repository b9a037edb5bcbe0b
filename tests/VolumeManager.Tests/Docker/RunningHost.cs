using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Docker;

/// <summary>One host for all tests of a class, with a volume <c>kept</c> on it. Such tests make volumes of their own names.</summary>
public sealed class RunningHost : IAsyncLifetime
{
    public TestHost Host { get; } = new();

    public async Task InitializeAsync()
    {
        await Host.StartAsync();
        Assert.Equal("", await Host.Engine.CreateAsync("kept"));
    }

    public async Task DisposeAsync() => await Host.DisposeAsync();
}
