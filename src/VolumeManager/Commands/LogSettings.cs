using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;
using VolumeManager.Docker;

namespace VolumeManager.Commands;

/// <summary>What is logged to the console, and how.</summary>
internal sealed record LogSettings
{
    internal LogLevel Level { get; init; } = LogLevel.Information;

    /// <summary><c>text</c>: one line an entry. <c>json</c>: one object a line, for collectors. <c>systemd</c>: text with the journal's priorities.</summary>
    internal string Format { get; init; } = "text";

    /// <summary>Gets the entries instead of the console; set only in tests.</summary>
    internal ILoggerProvider? Provider { get; init; }

    internal static readonly string[] Formats = ["text", "json", "systemd"];

    internal void Apply(ILoggingBuilder logging)
    {
        logging.SetMinimumLevel(Level).AddFilter("Microsoft", Level > LogLevel.Warning ? Level : LogLevel.Warning)
            // What keeps us from starting is told once, by ourselves.
            .AddFilter("Microsoft.Extensions.Hosting", LogLevel.None);
        if (Provider is not null)
        {
            logging.AddProvider(Provider);
            return;
        }

        switch (Format)
        {
            case "json":
                logging.AddJsonConsole(json => (json.UseUtcTimestamp, json.TimestampFormat) = (true, Rfc3339.Format));
                break;
            case "systemd":
                logging.AddConsole(console => console.FormatterName = JournalFormatter.Name).AddConsoleFormatter<JournalFormatter, ConsoleFormatterOptions>();
                break;
            default:
                logging.AddConsole(console => console.FormatterName = LineFormatter.Name).AddConsoleFormatter<LineFormatter, ConsoleFormatterOptions>();
                break;
        }

        logging.Services.Configure<ConsoleLoggerOptions>(console => console.LogToStandardErrorThreshold = LogLevel.Error);
    }
}
