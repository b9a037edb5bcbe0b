namespace VolumeManager.EndToEnd.Packages;

/// <summary>The packages that eng/package.sh makes, before they are installed.</summary>
[Collection(DebianPackages.Collection)]
public sealed class DebianBuilds(DebianPackages packages, ITestOutputHelper output)
{
    const double MegaBytes = 40;
    static readonly TimeSpan s_patience = TimeSpan.FromMinutes(8);

    [DebianFact]
    public async Task The_package_has_no_fault_that_lintian_knows_and_is_small()
    {
        var build = await packages.CurrentAsync();
        var size = new FileInfo(build.Package).Length / 1e6;
        output.WriteLine($"{Path.GetFileName(build.Package)}: {size:0.0} MB, {Path.GetFileName(build.Archive)}: {new FileInfo(build.Archive).Length / 1e6:0.0} MB");
        Assert.True(size < MegaBytes, $"{size:0.0} MB");

        var found = await Command.RunAsync(s_patience, "lintian", "--allow-root", "--fail-on", "error,warning", build.Package);
        Assert.True(found.Succeeded && found.Output.Length == 0, $"{found.Output}{found.Errors}");
    }

    [DebianFact]
    [Trait("Tier", "full")]
    public async Task The_same_source_in_another_place_gives_the_same_bytes()
    {
        var copy = Directory.CreateTempSubdirectory("volman-source-");
        try
        {
            // Both from the source: the current package holds what was published beside other builds of this tree.
            var build = await DebianPackages.BuildAsync(DebianPackages.Repository, Path.Combine(copy.FullName, "artifacts/here"));
            await CopySourceAsync(copy.FullName);
            var again = await DebianPackages.BuildAsync(copy.FullName, Path.Combine(copy.FullName, "artifacts/packages"));
            Assert.True(await HashAsync(build.Package) == await HashAsync(again.Package), $"The packages differ: {await DifferencesAsync(build.Package, again.Package)}");
            Assert.Equal(await HashAsync(build.Archive), await HashAsync(again.Archive));
        }
        finally
        {
            copy.Delete(recursive: true);
        }
    }

    /// <summary>Copies the tree as it is, with its history, which has the time of the last commit.</summary>
    static async Task CopySourceAsync(string target) => (await Command.RunAsync(s_patience, "bash", "-c",
        $"set -o pipefail; tar -C '{DebianPackages.Repository}' --exclude=bin --exclude=obj --exclude=./artifacts -c . | tar -C '{target}' -x")).MustSucceed();

    static async Task<string> HashAsync(string file) => (await Command.RunAsync(s_patience, "sha256sum", file)).MustSucceed().Output.Split(' ')[0];

    static async Task<string> DifferencesAsync(string one, string other)
    {
        var lists = await Task.WhenAll(new[] { one, other }.Select(async package =>
            (await Command.RunAsync(s_patience, "bash", "-c", $"dpkg-deb --fsys-tarfile {package} | tar --to-command='sha256sum | sed \"s,-,$TAR_FILENAME,\"' -x; dpkg-deb --contents {package}")).Output.Split('\n')));
        return string.Join('\n', lists[0].Except(lists[1]).Concat(lists[1].Except(lists[0])));
    }
}
