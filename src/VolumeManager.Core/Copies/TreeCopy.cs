using System.Diagnostics;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using VolumeManager.Linux;

namespace VolumeManager.Copies;

/// <summary>Copies a directory tree with all that it has: owners, modes, times, links, holes, extended attributes. By cp(1), which knows them all, and shares blocks where the file system can.</summary>
internal static partial class TreeCopy
{
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    /// <param name="target">An empty directory. It becomes as the source is, its own owner and mode too.</param>
    /// <param name="copied">Told of each file and directory.</param>
    /// <exception cref="VolumeException">cp could not; what it said.</exception>
    internal static async Task RunAsync(SafeFileHandle source, SafeFileHandle target, Action copied, CancellationToken cancellation)
    {
        // By descriptors: whatever is mounted or unmounted at their paths meanwhile, these are the directories that were opened.
        var (from, to) = ($"/proc/{Environment.ProcessId}/fd/{(int)source.DangerousGetHandle()}/", $"/proc/{Environment.ProcessId}/fd/{(int)target.DangerousGetHandle()}/");
        var start = SystemProgram.StartInfo("cp", ["--archive", "--one-file-system", "--reflink=auto", "--sparse=auto", "--verbose", "--no-target-directory", "--", from + ".", to]);
        using var cp = Start(start);
        try
        {
            await FollowAsync(cp, copied, complaint => complaint.Replace($"{start.FileName}: ", "cp: ", StringComparison.Ordinal).Replace(from + "./", "", StringComparison.Ordinal).Replace(to, "", StringComparison.Ordinal), cancellation);
        }
        finally
        {
            // It finds the directories by our descriptors, which may be other directories' as soon as they are closed.
            if (!await HasEndedAsync(cp))
            {
                source.SetHandleAsInvalid();
                target.SetHandleAsInvalid();
            }
        }
    }

    /// <summary>Makes what was copied survive power loss.</summary>
    internal static void Sync(SafeFileHandle target) => LibC.Check(SyncFs(target), "syncfs", "the copy");

    static async Task FollowAsync(Process cp, Action copied, Func<string, string> readable, CancellationToken cancellation)
    {
        var complaint = "";
        var errors = Task.Run(
            async () =>
            {
                // The first says why; there may be a million like it.
                while (await cp.StandardError.ReadLineAsync(CancellationToken.None) is { } line)
                {
                    if (complaint.Length == 0) complaint = line;
                }
            }, CancellationToken.None);
        while (await cp.StandardOutput.ReadLineAsync(cancellation) is not null) copied();
        await errors.WaitAsync(cancellation);
        await cp.WaitForExitAsync(cancellation);
        cancellation.ThrowIfCancellationRequested();
        if (cp.ExitCode != 0) throw new VolumeException(readable(complaint));
    }

    static Process Start(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new VolumeException($"cp cannot be run ({e.Message}): install coreutils", e);
        }
    }

    /// <summary>Ends it. One that waits for a server that is silent ends when the kernel lets it.</summary>
    static async Task<bool> HasEndedAsync(Process cp)
    {
        try
        {
            cp.Kill();
            await cp.WaitForExitAsync().WaitAsync(s_patience);
            return true;
        }
        catch (InvalidOperationException)
        {
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    [LibraryImport("libc", EntryPoint = "syncfs", SetLastError = true)]
    private static partial int SyncFs(SafeFileHandle file);
}
