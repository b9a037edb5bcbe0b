using System.CommandLine;

namespace VolumeManager.Commands;

/// <summary><c>volman completion</c>: what a shell needs to complete volman's verbs and flags. It asks volman itself, so what is suggested is what there is.</summary>
internal static class CompletionCommand
{
    // The parser suggests all that contain the word; a shell completes beginnings.
    const string Bash = """
        _volman() {
          local IFS=$'\n' word=${COMP_WORDS[COMP_CWORD]}
          COMPREPLY=($(compgen -W "$(volman "[suggest:$COMP_POINT]" "$COMP_LINE" 2>/dev/null)" -- "$word"))
          if [ ${#COMPREPLY[@]} -eq 0 ]; then compopt -o default; fi
        }
        complete -F _volman volman
        """;

    const string Zsh = """
        #compdef volman
        _volman() {
          local -a found
          found=("${(@f)$(volman "[suggest:$CURSOR]" "$BUFFER" 2>/dev/null)}")
          compadd -- "${found[@]}" || _files
        }
        if [ "$funcstack[1]" = "_volman" ]; then _volman "$@"; else compdef _volman volman; fi
        """;

    const string Fish = """
        complete --command volman --arguments '(set --local line (commandline --cut-at-cursor); volman "[suggest:"(string length -- "$line")"]" "$line" 2>/dev/null)'
        """;

    internal static Command Build()
    {
        var shell = new Argument<string>("shell") { Description = "bash, zsh or fish" };
        shell.AcceptOnlyFromAmong("bash", "zsh", "fish");
        var command = new Command("completion", "Print what makes a shell complete volman's verbs and flags: source <(volman completion bash)") { shell };
        command.SetAction(parsed => Console.WriteLine(parsed.GetValue(shell) switch
        {
            "bash" => Bash,
            "zsh" => Zsh,
            _ => Fish,
        }));
        return command;
    }
}
