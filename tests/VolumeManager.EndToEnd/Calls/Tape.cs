namespace VolumeManager.EndToEnd.Calls;

/// <summary>
/// The calls of one test, in the words of the protocol's tables: G(et), C(reate), M(ount), U(nmount), R(emove), L(ist).
/// The first mount id that shows up is x, the next y.
/// </summary>
internal sealed class Tape(CallRecorder recorder)
{
    const string Letters = "xyzabcdefghijklmnopqrstuvw";
    static readonly TimeSpan s_settling = TimeSpan.FromMilliseconds(150);
    static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(60);

    readonly Dictionary<string, char> _letters = new(StringComparer.Ordinal);
    int _heard = recorder.Calls.Count;

    /// <summary>Everything since the last expectation, and nothing more, shortly after it was heard.</summary>
    public async Task ExpectAsync(string calls)
    {
        await Poll.ForAsync(calls, () => Task.FromResult(Text()), s_deadline);
        await Task.Delay(s_settling);
        Assert.Equal(calls, Text());
        Forget();
    }

    /// <summary>The next calls, when their order is the engine's whim.</summary>
    public async Task<string> TakeAsync(int count)
    {
        await Poll.ForAsync(count, () => Task.FromResult(recorder.Calls.Count - _heard), s_deadline);
        await Task.Delay(s_settling);
        var text = Text();
        Forget();
        return text;
    }

    /// <summary>Goes on from here, whatever came before.</summary>
    public async Task SkipAsync()
    {
        await Task.Delay(s_settling);
        Forget();
    }

    public string Text() => string.Join(' ', recorder.Calls.Skip(_heard).Select(call => call.Short(LetterOf)));

    void Forget()
    {
        _ = Text(); // Names the ids of the calls that are skipped.
        _heard = recorder.Calls.Count;
    }

    char LetterOf(string id)
    {
        if (!_letters.TryGetValue(id, out var letter))
            _letters[id] = letter = Letters[_letters.Count];
        return letter;
    }
}
