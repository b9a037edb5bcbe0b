namespace VolumeManager.Volumes;

/// <summary>A change of one option of a volume: one row of the table <c>option_changes</c>.</summary>
internal sealed class OptionChange
{
    public required Guid VolumeId { get; init; }

    /// <summary>UTC.</summary>
    public required DateTime ChangedAt { get; init; }

    /// <summary>As <c>volume_options</c> has it; a label as <c>label.KEY</c>.</summary>
    public required string Key { get; init; }

    /// <summary>Null when the option was not given before.</summary>
    public string? OldValue { get; init; }

    /// <summary>Null when it is not given any more.</summary>
    public string? NewValue { get; init; }

    /// <summary>The host that was asked.</summary>
    public required string Host { get; init; }

    /// <summary>The operator who asked.</summary>
    public required string Actor { get; init; }
}
