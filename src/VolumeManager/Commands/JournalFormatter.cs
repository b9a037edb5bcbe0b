using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;

namespace VolumeManager.Commands;

/// <summary>One line an entry for systemd's journal, which has its own clock and reads the priority from the line's beginning (sd-daemon(3)).</summary>
internal sealed class JournalFormatter() : ConsoleFormatter(Name)
{
    internal new const string Name = "journal";

    public override void Write<TState>(in LogEntry<TState> logEntry, IExternalScopeProvider? scopeProvider, TextWriter textWriter)
    {
        var priority = Priority(logEntry.LogLevel);
        textWriter.Write(priority);
        LineFormatter.WriteMessage(logEntry.Formatter(logEntry.State, logEntry.Exception), textWriter);
        if (logEntry.Exception is not { } failure) return;
        foreach (var line in failure.ToString().Split('\n'))
        {
            textWriter.Write(priority);
            textWriter.WriteLine(line);
        }
    }

    static string Priority(LogLevel level) => level switch
    {
        LogLevel.Trace or LogLevel.Debug => "<7>",
        LogLevel.Information => "<6>",
        LogLevel.Warning => "<4>",
        LogLevel.Error => "<3>",
        _ => "<2>",
    };
}
