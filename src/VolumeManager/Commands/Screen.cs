using Spectre.Console;

namespace VolumeManager.Commands;

/// <summary>Colours for people at a terminal that has them, and did not ask for none (no-color.org); for all others the text alone.</summary>
internal static class Screen
{
    internal static string Good(string text) => Coloured(text, 32);

    internal static string Bad(string text) => Coloured(text, 31);

    // ECMA-48, select graphic rendition.
    static string Coloured(string text, int colour) =>
        Console.IsOutputRedirected || AnsiConsole.Profile.Capabilities.ColorSystem == ColorSystem.NoColors ? text : $"\e[{colour}m{text}\e[0m";
}
