using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace VolumeManager.Tests.Hosts;

/// <summary>The latest entries of a daemon's log, kept for a test that fails.</summary>
internal sealed class RecentLog : ILoggerProvider, ILogger
{
    const int Kept = 100;
    readonly ConcurrentQueue<string> _entries = new();

    internal IEnumerable<string> Entries => _entries;

    public ILogger CreateLogger(string categoryName) => this;

    public bool IsEnabled(LogLevel logLevel) => true;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        _entries.Enqueue($"{DateTime.UtcNow:HH:mm:ss.fff} {logLevel}: {formatter(state, exception)}{(exception is null ? "" : $" {exception}")}");
        while (_entries.Count > Kept) _entries.TryDequeue(out _);
    }

    public void Dispose()
    {
        // Kept for the next daemon of the host.
    }
}
