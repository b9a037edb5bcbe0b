using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace VolumeManager.Reports;

/// <summary>How a report is written for programs: values exact, times ISO 8601 in UTC to the millisecond, numbers with a fraction to six digits behind the point.</summary>
internal abstract class ReportFormat(Report report)
{
    protected Report Report => report;

    internal abstract void Begin(IBufferWriter<byte> to);

    internal abstract void Row(IBufferWriter<byte> to, object?[] values);

    internal abstract void End(IBufferWriter<byte> to);

    protected static double Rounded(double number) => Math.Round(number, 6);

    internal static string Text(DateTime utc) => utc.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture);

    internal static string Text(DateOnly day) => day.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
}

/// <summary>RFC 4180: a header, lines that end in CR LF, quotes where they are needed.</summary>
internal sealed class CsvReport(Report report) : ReportFormat(report)
{
    static readonly SearchValues<char> s_special = SearchValues.Create(",\"\r\n");

    internal override void Begin(IBufferWriter<byte> to) => Line(to, Report.Columns.Select(column => column.Name));

    internal override void Row(IBufferWriter<byte> to, object?[] values) => Line(to, values.Select(Cell));

    internal override void End(IBufferWriter<byte> to)
    {
    }

    static void Line(IBufferWriter<byte> to, IEnumerable<string> cells) => Encoding.UTF8.GetBytes(string.Join(',', cells) + "\r\n", to);

    static string Cell(object? value) => value switch
    {
        null => "",
        string text => text.AsSpan().ContainsAny(s_special) ? $"\"{text.Replace("\"", "\"\"", StringComparison.Ordinal)}\"" : text,
        DateTime time => Text(time),
        DateOnly day => Text(day),
        double number => Rounded(number).ToString(CultureInfo.InvariantCulture),
        bool flag => flag ? "true" : "false",
        _ => string.Create(CultureInfo.InvariantCulture, $"{value}"),
    };
}

/// <summary>An array of objects, one a line, with every column in each.</summary>
internal sealed class JsonReport(Report report) : ReportFormat(report)
{
    static readonly JsonWriterOptions s_options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    readonly List<JsonEncodedText> _names = [.. report.Columns.Select(column => JsonEncodedText.Encode(column.Name))];
    bool _isFurther;

    internal override void Begin(IBufferWriter<byte> to) => to.Write("["u8);

    internal override void Row(IBufferWriter<byte> to, object?[] values)
    {
        to.Write(_isFurther ? ",\n"u8 : "\n"u8);
        _isFurther = true;
        using var json = new Utf8JsonWriter(to, s_options);
        json.WriteStartObject();
        for (var i = 0; i < values.Length; i++)
        {
            json.WritePropertyName(_names[i]);
            Value(json, values[i], Report.Columns[i].Kind);
        }

        json.WriteEndObject();
    }

    internal override void End(IBufferWriter<byte> to) => to.Write("\n]\n"u8);

    static void Value(Utf8JsonWriter json, object? value, ColumnKind kind)
    {
        switch (value)
        {
            case null: json.WriteNullValue(); break;
            case string text when kind == ColumnKind.Labels: json.WriteRawValue(text); break;
            case string text: json.WriteStringValue(text); break;
            case DateTime time: json.WriteStringValue(Text(time)); break;
            case DateOnly day: json.WriteStringValue(Text(day)); break;
            case long number: json.WriteNumberValue(number); break;
            case double number: json.WriteNumberValue(Rounded(number)); break;
            case bool flag: json.WriteBooleanValue(flag); break;
            default: json.WriteStringValue($"{value}"); break;
        }
    }
}
