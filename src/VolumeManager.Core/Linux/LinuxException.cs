using System.Runtime.InteropServices;

namespace VolumeManager.Linux;

/// <summary>A system call that failed: its name, what it was asked to act on, and errno.</summary>
internal sealed class LinuxException(string operation, string target, int errno)
    : IOException($"{operation} {target}: {Marshal.GetPInvokeErrorMessage(errno)}")
{
    public int Errno { get; } = errno;
}
