using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;
using VolumeManager.Docker;

namespace VolumeManager.Commands;

/// <summary>One line an entry: time in UTC, level, what happened. The framework's own formatter adds category and number, which tell an operator nothing.</summary>
internal sealed class LineFormatter() : ConsoleFormatter(Name)
{
    internal new const string Name = "line";

    public override void Write<TState>(in LogEntry<TState> logEntry, IExternalScopeProvider? scopeProvider, TextWriter textWriter)
    {
        textWriter.Write(Rfc3339.Of(DateTime.UtcNow));
        textWriter.Write(' ');
        textWriter.Write(Word(logEntry.LogLevel));
        WriteMessage(logEntry.Formatter(logEntry.State, logEntry.Exception), textWriter);
        if (logEntry.Exception is not null) textWriter.WriteLine(logEntry.Exception);
    }

    /// <summary>A volume's name or an error's text may hold what a terminal or a log reader would take for another line.</summary>
    internal static void WriteMessage(string message, TextWriter textWriter)
    {
        foreach (var c in message) textWriter.Write(char.IsControl(c) ? '?' : c);
        textWriter.WriteLine();
    }

    static string Word(LogLevel level) => level switch
    {
        LogLevel.Trace => "trace    ",
        LogLevel.Debug => "debug    ",
        LogLevel.Information => "info     ",
        LogLevel.Warning => "warning  ",
        LogLevel.Error => "error    ",
        _ => "critical ",
    };
}
