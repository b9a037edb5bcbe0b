using VolumeManager.Hosts;

namespace VolumeManager.Tests.Hosts;

/// <summary>How a managed plugin, to which no engine sends Activate, learns that its engine is another one.</summary>
[Trait("Catalog", "none")]
public sealed class EngineGenerationTests : IDisposable
{
    readonly ScratchFolder _folder = new();
    readonly List<RunningProgram> _engines = [];
    readonly EngineGeneration _generation = new();
    int _raised;

    public EngineGenerationTests() => _generation.Raised = () => _raised++;

    public void Dispose()
    {
        foreach (var engine in _engines) engine.Dispose();
        _folder.Dispose();
    }

    EngineProcess Start()
    {
        var engine = new RunningProgram("engine", new("sleep", ["600"]));
        _engines.Add(engine);
        return EngineProcess.Find(engine.Pid)!;
    }

    void End(EngineProcess engine)
    {
        var running = _engines.Single(e => e.Pid == engine.Id);
        _engines.Remove(running);
        running.Dispose();
    }

    [Fact]
    public void The_first_engine_that_is_met_raises_nothing()
    {
        var engine = Start();
        var found = 0;
        _generation.Found = () => found++;
        _generation.Meet(engine);
        _generation.Meet(engine);
        Assert.Equal((0, 0L, 1), (_raised, _generation.Current, found));
        Assert.Equal(engine, _generation.Process);
    }

    [Fact]
    public void The_engine_that_calls_after_it_has_ended_is_the_next_one()
    {
        var (first, second) = (Start(), Start());
        _generation.Meet(first);
        End(first);
        _generation.Meet(second);
        _generation.Meet(second);
        Assert.Equal((1, 1L), (_raised, _generation.Current));
    }

    [Fact]
    public void Who_looks_while_the_engine_lives_is_no_engine()
    {
        var (engine, visitor) = (Start(), Start());
        _generation.Meet(engine);
        _generation.Meet(visitor);
        Assert.Equal((0, engine), (_raised, _generation.Process));
    }

    [Fact]
    public void The_number_of_a_dead_engine_does_not_make_another_process_it()
    {
        var engine = Start();
        _generation.Meet(engine with { Started = engine.Started - 1 });
        _generation.Meet(engine);
        Assert.Equal(1, _raised);
    }

    [Fact]
    public void An_engine_that_sent_Activate_is_counted_once()
    {
        var engine = Start();
        _generation.Raise(engine);
        _generation.Meet(engine);
        _generation.Recall(engine with { Started = engine.Started - 1 });
        Assert.Equal(1, _raised);
    }

    [Fact]
    public void The_same_engine_after_a_restart_of_ours_is_the_same()
    {
        var engine = Start();
        _generation.Recall(engine);
        _generation.Meet(engine);
        Assert.Equal((0, engine), (_raised, _generation.Process));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Another_engine_after_a_restart_of_ours_is_the_next_one_whether_it_calls_before_or_after_all_is_open(bool before)
    {
        var (first, second) = (Start(), Start());
        End(first);
        if (before) _generation.Meet(second);
        _generation.Recall(first);
        if (!before) _generation.Meet(second);
        Assert.Equal((1, second), (_raised, _generation.Process));
    }

    [Fact]
    public void It_is_kept_for_this_boot()
    {
        var file = _folder.Of("engine");
        Assert.Null(EngineProcess.Read(file, "boot"));
        var engine = Start();
        engine.Write(file, "boot");
        Assert.Equal(engine, EngineProcess.Read(file, "boot"));
        Assert.Null(EngineProcess.Read(file, "another-boot"));
        File.WriteAllText(file, "boot 12");
        Assert.Null(EngineProcess.Read(file, "boot"));
    }

    [Fact]
    public void A_process_that_has_ended_is_not_alive()
    {
        var engine = Start();
        Assert.True(engine.IsAlive);
        End(engine);
        Assert.False(engine.IsAlive);
    }
}
