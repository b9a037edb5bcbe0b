using System.Runtime.InteropServices;
using Spectre.Console;

namespace VolumeManager.Commands;

/// <summary>Colours for people at a terminal that has them, and did not ask for none (no-color.org); for all others the text alone.</summary>
internal static class Screen
{
    internal static string Good(string text) => Coloured(text, 32);

    internal static string Bad(string text) => Coloured(text, 31);

    static PosixSignalRegistration? s_interrupted;

    /// <summary>For who waits at a terminal, on standard error, so that what is told in the end can go elsewhere. Gone when it is done.</summary>
    internal static Progress Progress()
    {
        // It hides the cursor, and whoever is interrupted ends without showing it again.
        s_interrupted ??= PosixSignalRegistration.Create(PosixSignal.SIGINT, _ => Console.Error.Write("\e[?25h"));
        return AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) }).Progress().AutoClear(true);
    }

    // ECMA-48, select graphic rendition.
    static string Coloured(string text, int colour) =>
        Console.IsOutputRedirected || AnsiConsole.Profile.Capabilities.ColorSystem == ColorSystem.NoColors ? text : $"\e[{colour}m{text}\e[0m";
}
