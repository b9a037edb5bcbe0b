using System.Collections.Concurrent;
using System.Reflection;
using Microsoft.EntityFrameworkCore.Migrations;

namespace VolumeManager.Catalog;

/// <summary>Whether a catalog's schema and this program fit, told without building EF Core's model.</summary>
internal static class SchemaVersion
{
    /// <summary>The migrations of this program, oldest first.</summary>
    internal static IReadOnlyList<string> Known(string assembly) => s_known.GetOrAdd(assembly, static name => [.. Assembly.Load(name).GetTypes()
        .Select(type => type.GetCustomAttribute<MigrationAttribute>()?.Id)
        .OfType<string>()
        .Order(StringComparer.Ordinal)]);

    /// <summary>
    /// All migrations as one SQL script for an empty database, without a transaction of its own. EF Core needs ten times as long for the same, most of it
    /// to compile itself (docs/decisions/0023).
    /// </summary>
    internal static string Script(string assembly)
    {
        using var reader = new StreamReader(Assembly.Load(assembly).GetManifestResourceStream("Schema.sql")!);
        return reader.ReadToEnd();
    }

    static readonly ConcurrentDictionary<string, IReadOnlyList<string>> s_known = new(StringComparer.Ordinal);

    /// <exception cref="CatalogSchemaException">The catalog has a migration that this program does not know.</exception>
    internal static void CheckNotNewer(IReadOnlyList<string> applied, IReadOnlyList<string> known)
    {
        if (applied.Except(known, StringComparer.Ordinal).LastOrDefault() is { } newer)
        {
            throw new CatalogSchemaException(
                $"the catalog's schema is {newer}, newer than this volman, which knows up to {known[^1]}: install the volman that wrote it, or a later one");
        }
    }

    /// <exception cref="CatalogSchemaException">The catalog lacks a migration of this program.</exception>
    internal static void CheckNotOlder(IReadOnlyList<string> applied, IReadOnlyList<string> known, string cure)
    {
        if (known.Except(applied, StringComparer.Ordinal).Any())
        {
            throw new CatalogSchemaException($"the catalog's schema is {(applied.Count == 0 ? "empty" : applied[^1])} and this volman needs {known[^1]}: {cure}");
        }
    }
}

/// <summary>The catalog's schema and this program do not fit; the message names both versions and the cure.</summary>
internal sealed class CatalogSchemaException(string message) : Exception(message);
