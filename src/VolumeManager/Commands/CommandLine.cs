using VolumeManager.Catalog;

namespace VolumeManager.Commands;

/// <summary>How every verb ends: exit code 0 for done, 1 for refused or failed with one sentence on stderr.</summary>
internal static class CommandLine
{
    internal static async Task<int> RunAsync(Func<Task> verb)
    {
        try
        {
            await verb();
            return 0;
        }
        catch (Exception e) when (e is VolumeException or CatalogSchemaException)
        {
            await Console.Error.WriteLineAsync($"volman: {e.Message}");
            return 1;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync($"volman: what was to be told, or a file, could not be written or read ({e.Message.TrimEnd('.')}): what was asked for may be done");
            return 1;
        }
        catch (OperationCanceledException)
        {
            await Console.Error.WriteLineAsync("volman: stopped before the end: what was asked for already may be done, or go on");
            return 1;
        }
    }
}
