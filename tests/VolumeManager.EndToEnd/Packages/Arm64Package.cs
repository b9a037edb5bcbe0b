using VolumeManager.EndToEnd.Engines;
using VolumeManager.EndToEnd.Machines;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>The package for arm64, built on a machine of another architecture. An emulator of the processor runs the daemon from it.</summary>
[Trait("Tier", "full")]
public sealed class Arm64Package(ITestOutputHelper output) : IDisposable
{
    const string Emulator = "qemu-aarch64-static";
    static readonly TimeSpan s_patience = TimeSpan.FromMinutes(5);

    readonly MachineFolder _folder = new();

    [EmulatorFact]
    public async Task A_daemon_from_the_package_creates_mounts_unmounts_and_removes_a_volume()
    {
        var build = await DebianPackages.BuildAsync(DebianPackages.Repository, _folder["packages"], "--arch", "arm64");
        output.WriteLine($"{Path.GetFileName(build.Package)}: {new FileInfo(build.Package).Length / 1e6:0.0} MB");
        Assert.Equal("arm64", (await Command.RunAsync(s_patience, "dpkg-deb", "--field", build.Package, "Architecture")).MustSucceed().Output);
        var found = await Command.RunAsync(s_patience, "lintian", "--allow-root", "--fail-on", "error,warning", build.Package);
        Assert.True(found.Succeeded && found.Output.Length == 0, $"{found.Output}{found.Errors}");
        (await Command.RunAsync(s_patience, "dpkg-deb", "--extract", build.Package, _folder["unpacked"])).MustSucceed();
        var program = Path.Combine(_folder["unpacked"], "usr/lib/volman/volman");
        AllIsFor(Path.GetDirectoryName(program)!);
        var script = Path.Combine(DebianPackages.Repository, "tests/VolumeManager.EndToEnd/Packages/arm64-root.sh");
        var libraries = (await Command.RunAsync(s_patience, script)).MustSucceed().Output.Split('\n')[^1];

        await using var machine = new Machine(new MachineFolder(), "/", "arm64", []);
        await machine.BootAsync();
        var folder = machine.Folder;
        string[] serve =
        [
            "serve", "--socket", folder["volman.sock"], "--admin-socket", folder["admin.sock"], "--state-dir", folder["state"],
            "--mount-root", folder["mnt"], "--data-root", folder["volumes"],
        ];
        // With W^X the runtime writes code through a second mapping, which the emulator does not notice: it would run code from before the write.
        using var daemon = await machine.StartAsync("volman", [Emulator, "-L", libraries, program, .. serve], "DOTNET_EnableWriteXorExecute=0");
        await daemon.UntilLoggedAsync("volman ready", s_patience);
        try
        {
            var plugin = new PluginClient(folder["volman.sock"]);
            var volume = new { Name = "shop" };
            var mount = new { volume.Name, ID = "caller" };
            Assert.Equal("", (await plugin.CallAsync("Create", volume)).Err);
            Assert.Equal("", (await plugin.CallAsync("Mount", mount)).Err);
            Assert.Equal([folder["mnt/shop"]], machine.MountsBelow(folder["mnt"]));
            (await machine.RunAsync(s_patience, "sh", "-c", $"echo written >{folder["mnt/shop/f"]}")).MustSucceed();
            Assert.Equal("written\n", await File.ReadAllTextAsync(folder["volumes/shop/f"]));
            Assert.Equal("", (await plugin.CallAsync("Get", volume)).Err);
            Assert.Contains("in use", (await plugin.CallAsync("Remove", volume)).Err, StringComparison.Ordinal);
            Assert.Equal("", (await plugin.CallAsync("Unmount", mount)).Err);
            Assert.Empty(machine.MountsBelow(folder["mnt"]));
            Assert.Equal("", (await plugin.CallAsync("Remove", volume)).Err);
            Assert.NotEqual("", (await plugin.CallAsync("Get", volume)).Err);
        }
        finally
        {
            output.WriteLine(string.Join('\n', daemon.Log));
        }
    }

    public void Dispose() => _folder.Dispose();

    /// <summary>Every library and program of the folder is for arm64.</summary>
    static void AllIsFor(string folder)
    {
        var libraries = Directory.EnumerateFiles(folder).Where(file => Path.GetExtension(file) is "" or ".so").ToList();
        Assert.Contains(libraries, file => Path.GetFileName(file) == "libe_sqlite3.so");
        // elf(5): e_machine is the 16-bit word at 18; EM_AARCH64 is 183.
        Assert.All(libraries, file => Assert.Equal(183, BitConverter.ToUInt16(File.ReadAllBytes(file), 18)));
    }

    /// <summary>A test that runs a program for arm64 on this machine, or shows what is missing for that.</summary>
    [AttributeUsage(AttributeTargets.Method)]
    sealed class EmulatorFactAttribute : FactAttribute
    {
        public EmulatorFactAttribute() =>
            Skip = DebianFactAttribute.WhyNot() ?? (EngineRoot.Find("/", Emulator) is null ? $"Missing here: {Emulator}." : null);
    }
}
