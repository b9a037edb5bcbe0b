using VolumeManager.Volumes;

namespace VolumeManager.Tests.Volumes;

/// <summary>Answers of the shared catalog may arrive late: the index keeps the one with the highest revision, whatever the order of arrival.</summary>
[Trait("Catalog", "none")]
public class VolumeIndexTests
{
    readonly VolumeIndex _index = new(Guid.NewGuid());

    static Volume Heard(Guid id, long revision, string name = "v", long epoch = 1, VolumeState state = VolumeState.Ready) => new()
    {
        Id = id,
        Name = name,
        Backend = "local",
        Directory = name,
        State = state,
        Epoch = epoch,
        Revision = revision,
        CreatedAt = DateTime.UnixEpoch,
        CreatedOnHost = "host",
    };

    Volume Known(string name = "v")
    {
        Assert.True(_index.TryFind(name, out var known));
        return known;
    }

    [Fact]
    public void An_older_answer_does_not_change_the_volume()
    {
        var id = Guid.NewGuid();
        _index.Learn(Heard(id, revision: 5, epoch: 2));
        Assert.Equal(2, _index.Learn(Heard(id, revision: 4)).Epoch);
        Assert.Equal((5, 2), (Known().Revision, Known().Epoch));
        _index.Learn(Heard(id, revision: 6, epoch: 3));
        Assert.Equal((6, 3), (Known().Revision, Known().Epoch));
    }

    [Fact]
    public void An_older_answer_does_not_bring_back_the_volume_that_had_the_name_before()
    {
        var (first, second) = (Guid.NewGuid(), Guid.NewGuid());
        _index.Learn(Heard(second, revision: 5));
        _index.Learn(Heard(first, revision: 4));
        Assert.Equal(second, Known().Id);
    }

    [Fact]
    public void An_older_answer_does_not_give_a_restored_volume_its_former_name_again()
    {
        var id = Guid.NewGuid();
        _index.Learn(Heard(id, revision: 4, name: "former"));
        _index.Learn(Heard(id, revision: 5, name: "v"));
        _index.Learn(Heard(id, revision: 4, name: "former"));
        Assert.Equal(id, Known().Id);
        Assert.False(_index.TryFind("former", out _));
    }

    [Fact]
    public void An_older_answer_that_there_is_no_such_volume_does_not_remove_it()
    {
        _index.Learn(Heard(Guid.NewGuid(), revision: 5));
        _index.LearnGone("v", revision: 4);
        Assert.Equal(5, Known().Revision);
        _index.LearnGone("v", revision: 5);
        Assert.False(_index.TryFind("v", out _));
    }

    [Fact]
    public void An_older_answer_does_not_bring_back_a_removed_volume()
    {
        var id = Guid.NewGuid();
        _index.Learn(Heard(id, revision: 5, state: VolumeState.Trashed));
        _index.Learn(Heard(id, revision: 4));
        Assert.False(_index.TryFind("v", out _));
    }

    [Fact]
    public void A_host_that_joins_again_accepts_an_older_answer()
    {
        var id = Guid.NewGuid();
        _index.Learn(Heard(id, revision: 5, epoch: 2));
        _index.Learn(Heard(id, revision: 4), anew: true);
        Assert.Equal((4, 1), (Known().Revision, Known().Epoch));
    }
}
