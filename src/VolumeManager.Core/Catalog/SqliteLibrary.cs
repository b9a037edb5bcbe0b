using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Loader;

namespace VolumeManager.Catalog;

/// <summary>Makes one build run with whichever SQLite the registry and the machine offer (docs/decisions/0002).</summary>
internal static class SqliteLibrary
{
    const string SystemLibrary = "libsqlite3.so.0";

#pragma warning disable CA2255 // The hooks must stand before the first type of Microsoft.Data.Sqlite is touched, whoever touches it: daemon, tests or dotnet ef.
    [ModuleInitializer]
#pragma warning restore CA2255
    internal static void Initialize()
    {
        // Microsoft.Data.Sqlite asks for SQLitePCLRaw 2.1.12 or later; where the registry had only an older 2.x, take that one. Satisfied references never come here.
        AssemblyLoadContext.Default.Resolving += (context, name) =>
        {
            if (name.Name?.StartsWith("SQLitePCLRaw.", StringComparison.Ordinal) != true) return null;
            var path = Path.Combine(Path.GetDirectoryName(typeof(SqliteLibrary).Assembly.Location)!, name.Name + ".dll");
            return File.Exists(path) ? context.LoadFromAssemblyPath(path) : null;
        };

        // Prefer the distribution's SQLite: patched, and built with usleep, without which waiting for a lock sleeps whole seconds.
        AppDomain.CurrentDomain.AssemblyLoad += (_, loaded) =>
        {
            if (loaded.LoadedAssembly.GetName().Name?.StartsWith("SQLitePCLRaw.provider.", StringComparison.Ordinal) == true)
            {
                NativeLibrary.SetDllImportResolver(loaded.LoadedAssembly, Resolve);
            }
        };
    }

    static nint Resolve(string library, Assembly assembly, DllImportSearchPath? search) =>
        library == "e_sqlite3" && NativeLibrary.TryLoad(SystemLibrary, out var handle) ? handle : 0;
}
