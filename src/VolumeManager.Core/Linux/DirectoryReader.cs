using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace VolumeManager.Linux;

/// <summary>Reads an open directory name by name, as bytes. It can be closed halfway, and go on when the directory is opened again.</summary>
internal sealed partial class DirectoryReader : IDisposable
{
    const int BufferSize = 16 * 1024;

    byte[]? _buffer;
    int _length;
    int _at;
    bool _isOver;

    // The kernel's own mark behind the last name that was handed out (d_off).
    long _position;

    /// <param name="directory">Owned from now on.</param>
    internal DirectoryReader(SafeFileHandle directory) => Directory = directory;

    /// <summary>Null while it is closed.</summary>
    internal SafeFileHandle? Directory { get; private set; }

    /// <summary>The next name, ended by a zero byte, without "." and ".."; empty at the end, which that of a directory that was removed is. Valid until the next one is read.</summary>
    /// <exception cref="LinuxException">The directory cannot be read.</exception>
    internal ReadOnlySpan<byte> Next()
    {
        while (Directory is not null && !_isOver && (_at < _length || Fill()))
        {
            var name = DirectoryEntries.First(_buffer.AsSpan(_at, _length - _at), out var size, out _position);
            _at += size;
            if (!name.IsEmpty) return name;
        }

        return [];
    }

    bool Fill()
    {
        try
        {
            _length = DirectoryEntries.Read(Directory!, _buffer ??= new byte[BufferSize]);
        }
        catch (LinuxException e) when (e.Errno is LibC.ENOENT or LibC.ESTALE)
        {
            _length = 0;
        }

        _at = 0;
        return _length > 0;
    }

    /// <summary>Gives back file and memory, and keeps the place.</summary>
    internal void Close()
    {
        Directory?.Dispose();
        (Directory, _buffer, _length, _at) = (null, null, 0, 0);
    }

    /// <summary>Goes on where it was closed.</summary>
    /// <param name="directory">The same directory. Owned from now on.</param>
    internal void Reopen(SafeFileHandle directory)
    {
        Directory = directory;
        // A directory that was removed has no place to go on from (ext4), and nothing is in it.
        _isOver = LSeek(directory, _position, whence: 0) < 0;
    }

    public void Dispose() => Close();

    [LibraryImport("libc", EntryPoint = "lseek", SetLastError = true)]
    private static partial long LSeek(SafeFileHandle directory, long position, int whence);
}
