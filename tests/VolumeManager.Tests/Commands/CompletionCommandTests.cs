namespace VolumeManager.Tests.Commands;

/// <summary>What shells and the manual are told, made of the command line itself.</summary>
[Trait("Catalog", "none")]
public sealed class CompletionCommandTests
{
    [Theory]
    [InlineData("volman s", "serve", "status")]
    [InlineData("volman host ", "evict", "ls")]
    [InlineData("volman serve --nfs-", "--nfs-export", "--nfs-options", "--nfs-server")]
    [InlineData("volman trash ls --output j", "json")]
    [InlineData("volman completion ", "bash", "fish", "zsh")]
    public async Task Bash_completes_verbs_flags_and_values(string line, params string[] expected)
    {
        // As a shell finds it: a program on its path.
        using var folder = new ScratchFolder();
        var program = folder.Of("volman");
        await File.WriteAllTextAsync(program, $"#!/bin/sh\nexec {string.Join(' ', VolmanProcess.Program)} \"$@\"\n");
        File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        const string complete = """
            PATH=$1:$PATH; source <(volman completion bash); COMP_LINE=$2 COMP_POINT=${#2}
            read -ra COMP_WORDS <<<"$2"; if [[ $2 == *' ' ]]; then COMP_WORDS+=(''); fi; COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
            _volman; printf '%s\n' "${COMPREPLY[@]}"
            """;
        var found = (await Command.OutputOfAsync("bash", "-c", complete, "bash", folder.FullPath, line)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(expected, found.Where(word => !word.StartsWith('-') || line.EndsWith('-')).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("bash", "complete -F _volman volman")]
    [InlineData("zsh", "#compdef volman")]
    [InlineData("fish", "complete --command volman")]
    public async Task Each_shell_has_its_own_script(string shell, string holds)
    {
        var ended = await VolmanProcess.RunAsync("completion", shell);
        Assert.Equal((0, ""), (ended.ExitCode, ended.Errors));
        Assert.Contains(holds, ended.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_manual_has_every_verb_and_every_setting()
    {
        var page = (await VolmanProcess.RunAsync("man")).Output;
        Assert.StartsWith($".TH VOLMAN 8 \"\" \"volman {ProgramVersion.Text}\"", page, StringComparison.Ordinal);
        foreach (var verb in new[] { "serve", "status", "migrate", "host ls", "host evict name", "volume restore name\\-or\\-id", "trash ls", "trash empty [name\\-or\\-id...]", "completion shell" })
        {
            Assert.Contains($"\n.SS volman {verb}\n", page, StringComparison.Ordinal);
        }

        foreach (var setting in VolumeManager.Commands.Setting.All) Assert.Contains($"\n.B \\-\\-{setting.Key.Replace("-", "\\-", StringComparison.Ordinal)} ", page, StringComparison.Ordinal);
        // A line that begins with a dot is a request to roff, or lost.
        Assert.All(page.Split('\n').Where(l => l.StartsWith('.')), l => Assert.Matches(@"^\.(TH|SH|SS|TP|PP|RS|RE|B|BR|I)\b", l));
    }
}
