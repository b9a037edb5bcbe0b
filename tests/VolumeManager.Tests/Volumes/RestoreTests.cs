using Microsoft.EntityFrameworkCore;
using VolumeManager.Tests.Admin;
using VolumeManager.Tests.Docker;
using VolumeManager.Tests.Hosts;
using VolumeManager.Tests.Linux;
using VolumeManager.Volumes;

namespace VolumeManager.Tests.Volumes;

/// <summary>What comes back from the trash is what went in, and nothing that is there is harmed by it.</summary>
public sealed class RestoreTests(RunningHost running) : IClassFixture<RunningHost>, IDisposable
{
    static int s_count;
    readonly TestHost _host = running.Host;
    readonly OperatorClient _operator = OperatorClient.Of(running.Host);
    readonly string _name = $"r{Interlocked.Increment(ref s_count)}";

    public void Dispose() => _operator.Dispose();

    async Task<string> MakeAndRemoveAsync(string? name = null, object? options = null)
    {
        name ??= _name;
        Assert.Equal("", await _host.Engine.CreateAsync(name, options));
        Assert.Equal("", await _host.Engine.MountAsync(name, "x"));
        await File.WriteAllTextAsync(_host.TargetOf(name) + "/f", "data of " + name);
        Assert.Equal("", await _host.Engine.UnmountAsync(name, "x"));
        Assert.Equal("", await _host.Engine.RemoveAsync(name));
        return (await RowsAsync(name)).Last().Id.ToString();
    }

    async Task<List<Volume>> RowsAsync(string name)
    {
        await using var db = _host.OpenCatalog();
        return await db.Volumes.AsNoTracking().Where(v => v.Name == name).OrderBy(v => v.Id).ToListAsync();
    }

    async Task<string> ReadAsync(string name)
    {
        Assert.Equal("", await _host.Engine.MountAsync(name, "reader"));
        var text = await File.ReadAllTextAsync(_host.TargetOf(name) + "/f");
        Assert.Equal("", await _host.Engine.UnmountAsync(name, "reader"));
        return text;
    }

    string? InTrash(string id) => Directory.GetFileSystemEntries(_host.DataOf(".trash"), $"*.{Guid.Parse(id):N}*").SingleOrDefault();

    [Fact]
    public async Task Under_its_own_name_it_is_again_what_it_was()
    {
        var id = await MakeAndRemoveAsync(options: new Dictionary<string, string> { ["mode"] = "0750", ["uid"] = "33", ["access"] = "single-host", ["size"] = "1G", ["label.team"] = "web" });
        var before = (await RowsAsync(_name)).Single();
        var reply = await _operator.RestoreAsync(_name);
        Assert.Equal((200, id, _name, _host.DataOf(_name)), (reply.Status, reply.Json.GetProperty("id").GetString(), reply.Json.GetProperty("name").GetString(), reply.Json.GetProperty("source").GetString()));
        Assert.Equal("data of " + _name, await ReadAsync(_name));
        Assert.Equal("33:0 750", await ShellCommand.OwnerAndModeAsync(_host.DataOf(_name)));
        var status = (await _host.Engine.GetAsync(_name)).Json.GetProperty("Volume").GetProperty("Status");
        Assert.Equal(("ready", "web", "single-host", "1073741824"), (
            status.GetProperty("State").GetString(), status.GetProperty("Labels").GetProperty("team").GetString(),
            status.GetProperty("Options").GetProperty("access").GetString(), status.GetProperty("Options").GetProperty("size").GetString()));
        var row = (await RowsAsync(_name)).Single();
        Assert.Equal((before.Id, VolumeState.Ready, before.ProvisionedAt, before.CreatedAt, null, null), (row.Id, row.State, row.ProvisionedAt, row.CreatedAt, row.RemovedAt, row.PurgeAfter));
        Assert.Null(InTrash(id));
        Assert.Equal(["create", "mount", "attach", "unmount", "remove", "restore"], (await _host.EventsAsync(_name)).Take(6));
        // The same as before to an engine that asks for it again.
        Assert.Equal("", await _host.Engine.CreateAsync(_name, new Dictionary<string, string> { ["mode"] = "0750", ["uid"] = "33", ["access"] = "single-host", ["size"] = "1G", ["label.team"] = "web" }));
        Assert.Contains("exists with other options", await _host.Engine.CreateAsync(_name, new { mode = "0700" }), StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_outlives_a_restart_and_can_be_removed_and_restored_again()
    {
        for (var i = 0; i < 3; i++)
        {
            var id = i == 0 ? await MakeAndRemoveAsync(options: new Dictionary<string, string> { ["label.team"] = "web" }) : "";
            if (i > 0) Assert.Equal("", await _host.Engine.RemoveAsync(i == 1 ? _name + "-b" : _name));
            Assert.Equal("", (await _operator.RestoreAsync(i == 1 ? _name + "-b" : _name, i == 1 ? _name : i == 0 ? _name + "-b" : null)).Detail);
            await _host.RestartAsync();
            Assert.Equal("data of " + _name, await ReadAsync(i == 0 ? _name + "-b" : _name));
        }

        Assert.Contains("web", (await _host.Engine.GetAsync(_name)).Body, StringComparison.Ordinal);
        Assert.Single(await _host.Engine.ListAsync(), name => name.StartsWith(_name, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Under_a_new_name_the_old_one_is_free()
    {
        var id = await MakeAndRemoveAsync();
        Assert.Equal("", await _host.Engine.CreateAsync(_name));
        await File.WriteAllTextAsync(_host.DataOf(_name) + "/f", "of the new one");
        var asName = _name + "-old";
        Assert.Equal("", (await _operator.RestoreAsync(_name, asName)).Detail);
        Assert.Equal("data of " + _name, await ReadAsync(asName));
        Assert.Equal("of the new one", await ReadAsync(_name));
        Assert.Equal(id, (await RowsAsync(asName)).Single().Id.ToString());
        Assert.Contains($"to {_host.DataOf(asName)}, removed as {_name}", await DetailAsync(asName), StringComparison.Ordinal);
        Assert.Null(InTrash(id));
        // Both go their own ways to the trash again.
        Assert.Equal("", await _host.Engine.RemoveAsync(asName));
        Assert.Equal("", await _host.Engine.RemoveAsync(_name));
        Assert.EndsWith($"/{asName}.{Guid.Parse(id):N}", InTrash(id), StringComparison.Ordinal);
    }

    async Task<string> DetailAsync(string name)
    {
        await using var db = _host.OpenCatalog();
        return (await db.Events.Where(e => e.VolumeName == name && e.Kind == "restore").SingleAsync()).Detail!;
    }

    [Fact]
    public async Task A_name_that_is_taken_is_told_and_nothing_is_changed()
    {
        var id = await MakeAndRemoveAsync();
        Assert.Equal("", await _host.Engine.CreateAsync(_name));
        var reply = await _operator.RestoreAsync(_name);
        Assert.Equal((409, $"there is a volume {_name} already: restore it under another name with --as"), (reply.Status, reply.Detail));
        Assert.Equal("there is a volume kept already: restore it under another name with --as", (await _operator.RestoreAsync(id, "kept")).Detail);
        Assert.NotNull(InTrash(id));
        Assert.Equal(VolumeState.Trashed, (await RowsAsync(_name))[0].State);
        Assert.Contains("restore!", await _host.EventsAsync(_name));
        Assert.Empty(Directory.GetFileSystemEntries(_host.DataOf(_name)));
    }

    [Fact]
    public async Task An_empty_directory_in_the_way_goes_and_one_with_data_stays_and_is_named()
    {
        var id = await MakeAndRemoveAsync();
        var removed = (await RowsAsync(_name)).Single();
        Directory.CreateDirectory(_host.DataOf(_name));
        await File.WriteAllTextAsync(_host.DataOf(_name) + "/precious", "other data");
        var reply = await _operator.RestoreAsync(_name);
        Assert.Equal((409, $"volume {_name} cannot be restored to {_host.DataOf(_name)}, where something is already: move that away, or restore the volume under another name"), (reply.Status, reply.Detail));
        Assert.Equal("other data", await File.ReadAllTextAsync(_host.DataOf(_name) + "/precious"));
        Assert.NotNull(InTrash(id));
        Assert.Equal("no such volume", (await _host.Engine.GetAsync(_name)).Err);
        var row = (await RowsAsync(_name)).Single();
        Assert.Equal((VolumeState.Trashed, _name, removed.RemovedAt, removed.PurgeAfter), (row.State, row.Directory, row.RemovedAt, row.PurgeAfter));

        File.Delete(_host.DataOf(_name) + "/precious");
        Assert.Equal("", (await _operator.RestoreAsync(_name)).Detail);
        Assert.Equal("data of " + _name, await ReadAsync(_name));
    }

    [Theory]
    [InlineData("a file")]
    [InlineData("a link")]
    [InlineData("a mount")]
    public async Task Nothing_but_an_empty_directory_is_replaced(string what)
    {
        var id = await MakeAndRemoveAsync();
        var (place, other) = (_host.DataOf(_name + "-new"), Directory.CreateDirectory(_host.DataOf(_name + "-other")).FullName);
        if (what == "a file") await File.WriteAllTextAsync(place, "x");
        else if (what == "a link") File.CreateSymbolicLink(place, other);
        else await ShellCommand.BindAsync(other, Directory.CreateDirectory(place).FullName);
        var reply = await _operator.RestoreAsync(_name, _name + "-new");
        Assert.Equal(409, reply.Status);
        Assert.Contains(place, reply.Detail, StringComparison.Ordinal);
        Assert.NotNull(InTrash(id));
        Assert.Empty(Directory.GetFileSystemEntries(other));
        Assert.Equal((VolumeState.Trashed, _name), ((await RowsAsync(_name)).Single().State, (await RowsAsync(_name)).Single().Directory));
        if (what == "a mount") await Command.OutputOfAsync("umount", place);
        Assert.Equal("", (await _operator.RestoreAsync(_name)).Detail);
        Assert.Equal("data of " + _name, await ReadAsync(_name));
    }

    [Fact]
    public async Task Of_several_of_one_name_the_id_says_which()
    {
        var first = await MakeAndRemoveAsync();
        await File.WriteAllTextAsync(InTrash(first) + "/f", "the first");
        var second = await MakeAndRemoveAsync();
        foreach (var reply in new[] { await _operator.RestoreAsync(_name), await _operator.SendAsync("DELETE", "/v1/trash/" + _name) })
        {
            Assert.Equal(409, reply.Status);
            Assert.Matches($@"^several volumes {_name} are in the trash, say which by its id: {second} \(removed 20.+Z\), {first} \(removed 20.+Z\)$", reply.Detail);
        }

        Assert.Equal("", (await _operator.RestoreAsync(first)).Detail);
        Assert.Equal("the first", await ReadAsync(_name));
        Assert.Equal("", (await _operator.RestoreAsync(_name, _name + "-2")).Detail);
        Assert.Equal("data of " + _name, await ReadAsync(_name + "-2"));
        Assert.Equal(404, (await _operator.RestoreAsync(first)).Status);
    }

    [Fact]
    public async Task An_adopted_directory_goes_back_to_where_it_was_found()
    {
        Directory.CreateDirectory(_host.DataOf($"{_name}-projects/a"));
        await MakeAndRemoveAsync(options: new Dictionary<string, string> { ["path"] = $"{_name}-projects/a", ["on-remove"] = "trash" });
        Assert.False(Directory.Exists(_host.DataOf($"{_name}-projects/a")));
        Assert.Equal("", (await _operator.RestoreAsync(_name, _name + "-b")).Detail);
        Assert.Equal("data of " + _name, await File.ReadAllTextAsync(_host.DataOf($"{_name}-projects/a/f")));
        Assert.Equal("data of " + _name, await ReadAsync(_name + "-b"));

        Assert.Equal("", await _host.Engine.RemoveAsync(_name + "-b"));
        Directory.Delete(_host.DataOf(_name + "-projects"));
        Assert.Contains("No such file or directory", (await _operator.RestoreAsync(_name + "-b")).Detail, StringComparison.Ordinal);
        Directory.CreateDirectory(_host.DataOf($"{_name}-projects/a"));
        Assert.Equal("", await _host.Engine.CreateAsync(_name + "-c", new Dictionary<string, string> { ["path"] = _name + "-projects" }));
        Assert.Contains("which overlaps the directory of another volume", (await _operator.RestoreAsync(_name + "-b")).Detail, StringComparison.Ordinal);
        Assert.Equal("", await _host.Engine.RemoveAsync(_name + "-c"));
        Assert.Equal("", (await _operator.RestoreAsync(_name + "-b")).Detail);
        Assert.Equal("data of " + _name, await ReadAsync(_name + "-b"));
    }

    [Fact]
    public async Task A_volume_whose_data_is_lost_stays_where_it_is()
    {
        var id = await MakeAndRemoveAsync();
        Directory.Delete(InTrash(id)!, recursive: true);
        var reply = await _operator.RestoreAsync(_name);
        Assert.Equal((409, $"the data of volume {_name} is not in the trash of the disk of {_host.Settings.DataRoot} any more: it cannot be restored"), (reply.Status, reply.Detail));
        Assert.Equal(VolumeState.Trashed, (await RowsAsync(_name)).Single().State);
    }

    [Fact]
    public async Task A_name_as_long_as_a_name_may_be_comes_back_whole()
    {
        var name = (_name + new string('n', 255))[..255];
        await MakeAndRemoveAsync(name);
        Directory.CreateDirectory(_host.DataOf(name));
        await File.WriteAllTextAsync(_host.DataOf(name) + "/precious", "other data");
        Assert.Equal(409, (await _operator.RestoreAsync(name)).Status);
        Assert.Equal(VolumeState.Trashed, (await RowsAsync(name)).Single().State);
        Directory.Delete(_host.DataOf(name), recursive: true);
        Assert.Equal("", (await _operator.RestoreAsync(name)).Detail);
        Assert.Equal("data of " + name, await ReadAsync(name));
    }

    [Fact]
    public async Task Of_many_who_restore_one_volume_under_several_names_one_does()
    {
        await MakeAndRemoveAsync();
        var replies = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => _operator.RestoreAsync(_name, $"{_name}-{i % 4}")));
        var done = Assert.Single(replies, reply => reply.Status == 200);
        Assert.All(replies.Where(reply => reply != done), reply => Assert.Contains(reply.Status, (int[])[404, 409]));
        var restored = done.Json.GetProperty("name").GetString()!;
        Assert.Equal([restored], (await _host.Engine.ListAsync()).Where(name => name.StartsWith(_name, StringComparison.Ordinal)));
        Assert.Equal("data of " + _name, await ReadAsync(restored));
    }
}
