namespace VolumeManager.Benchmarks;

/// <summary>What the command line asks for.</summary>
internal sealed record BenchmarkOptions
{
    internal const string Usage = """
        usage: [all|routes|list|growth|start|memory|cluster|reports]... [options]
          --quick          fewer repetitions and no 100,000 volumes: under a minute, and one more for the cluster
          --null-only      only the null servers: the limit of the machine
          --volman PATH    the executable to measure; default $VOLMAN_BIN, else artifacts/volman/volman of the repository
          --work DIR       where catalogs and volumes are put, on a disk; default artifacts/bench of the repository
          --output FILE    write the tables there too
        """;

    internal static readonly string[] Measurements = ["routes", "list", "growth", "start", "memory", "cluster", "reports"];

    internal required IReadOnlyList<string> Chosen { get; init; }

    internal bool Quick { get; init; }

    internal bool NullOnly { get; init; }

    internal required string Volman { get; init; }

    internal required string WorkDirectory { get; init; }

    internal string? Output { get; init; }

    /// <summary>Catalog sizes of the list and growth tables.</summary>
    internal int[] Sizes => Quick ? [10, 10_000] : [10, 1_000, 10_000, 100_000];

    /// <summary>Catalog sizes of the start and memory tables, beside an empty one.</summary>
    internal int[] LargeSizes => Quick ? [10_000] : [10_000, 100_000];

    internal static BenchmarkOptions Parse(string[] args)
    {
        var root = RepositoryRoot();
        var options = new BenchmarkOptions
        {
            Chosen = [],
            Volman = Environment.GetEnvironmentVariable("VOLMAN_BIN") is { Length: > 0 } named ? named : Path.Combine(root, "artifacts", "volman", "volman"),
            WorkDirectory = Path.Combine(root, "artifacts", "bench"),
        };
        var rest = new Queue<string>(args);
        while (rest.TryDequeue(out var word))
        {
            options = word switch
            {
                "all" => options with { Chosen = Measurements },
                "--quick" => options with { Quick = true },
                "--null-only" => options with { NullOnly = true },
                "--volman" => options with { Volman = Path.GetFullPath(ValueOf(word, rest)) },
                "--work" => options with { WorkDirectory = Path.GetFullPath(ValueOf(word, rest)) },
                "--output" => options with { Output = Path.GetFullPath(ValueOf(word, rest)) },
                _ when Measurements.Contains(word) => options with { Chosen = [.. options.Chosen, word] },
                _ => throw new BenchmarkException($"unknown argument {word}\n{Usage}"),
            };
        }
        options = options with { Chosen = options.Chosen.Count == 0 ? Measurements : [.. options.Chosen.Distinct(StringComparer.Ordinal)] };
        if (!options.NullOnly && !File.Exists(options.Volman))
            throw new BenchmarkException($"no executable at {options.Volman}: publish volman, or name it with --volman or VOLMAN_BIN, or measure --null-only");
        return options;
    }

    static string ValueOf(string word, Queue<string> rest) =>
        rest.TryDequeue(out var value) ? value : throw new BenchmarkException($"{word} needs a value\n{Usage}");

    internal static string RepositoryRoot()
    {
        for (var directory = new DirectoryInfo(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            if (File.Exists(Path.Combine(directory.FullName, "VolumeManager.sln")))
                return directory.FullName;
        }
        return Environment.CurrentDirectory;
    }
}

/// <summary>The benchmark cannot go on; the message is for the person who ran it.</summary>
internal sealed class BenchmarkException(string message) : Exception(message);
