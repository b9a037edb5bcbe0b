using VolumeManager.EndToEnd.Daemons;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>A clean clone of this repository, with what is not committed yet, and nothing that was ever built in it.</summary>
internal sealed class ImageClone(string root)
{
    static readonly TimeSpan s_deadline = TimeSpan.FromMinutes(5);

    public string Root => root;

    public async Task MakeAsync()
    {
        var original = DaemonBinary.RepositoryRoot();
        var script = $"git clone --quiet '{original}' '{root}' && git -C '{original}' diff --binary HEAD | git -C '{root}' apply --allow-empty";
        (await Command.RunAsync(s_deadline, "bash", "-euo", "pipefail", "-c", script)).MustSucceed();
    }

    /// <summary>What the image has to say that it was built from.</summary>
    public async Task<string> RevisionAsync()
    {
        var commit = await GitAsync("rev-parse", "HEAD");
        return await GitAsync("status", "--porcelain", "--untracked-files=no") == "" ? commit : $"{commit}-dirty";
    }

    async Task<string> GitAsync(params IEnumerable<string> arguments) => (await Command.RunAsync(s_deadline, "git", ["-C", root, .. arguments])).MustSucceed().Output;
}
