using System.Text.Json.Serialization;
using VolumeManager.Volumes;

namespace VolumeManager.Admin;

/// <param name="Options">The new values; null takes an option back to its default.</param>
/// <param name="DryRun">Only tell what would change.</param>
internal sealed record SetRequest([property: JsonRequired] IReadOnlyDictionary<string, string?> Options, bool DryRun = false);

/// <summary>What is different.</summary>
internal sealed record SetAnswer(string Name, IReadOnlyList<OptionDifference> Changes, IReadOnlyDictionary<string, string> Options);

/// <param name="Options">The options <c>backend</c>, <c>server</c>, <c>export</c> and <c>nfsopts</c> of the new place.</param>
/// <param name="DryRun">Only tell whether it could be done, and where the data would be.</param>
internal sealed record MoveRequest([property: JsonRequired] IReadOnlyDictionary<string, string?> Options, bool DryRun = false);

/// <param name="Name">The name of the new volume.</param>
/// <param name="Options">Its options that shall be others than those of the volume that it is a clone of.</param>
/// <param name="Live">Whether that one may be in use: then the clone has what was there when the copy came by.</param>
/// <param name="DryRun">Only tell whether it could be done, and where the data would be.</param>
internal sealed record CloneRequest([property: JsonRequired] string Name, IReadOnlyDictionary<string, string?>? Options, bool Live = false, bool DryRun = false);

/// <summary>One line of the answer to who waits for a copy. The last one has a source or an error.</summary>
/// <param name="Phase"><c>planned</c>, <c>copying</c>, <c>verifying</c>, <c>done</c> or <c>failed</c>.</param>
/// <param name="Files">Files and directories so far.</param>
/// <param name="OfFiles">How many there are, as far as is known.</param>
/// <param name="Source">Where the volume's data is, or would be.</param>
/// <param name="Error">Why it failed: nothing is changed.</param>
internal sealed record CopyLine(string Phase, long Files, long? OfFiles, string? Source, string? Error);

/// <param name="Found">Directories that are no volume's.</param>
/// <param name="Missing">Volumes whose directory is not there.</param>
internal sealed record AdoptableAnswer(IReadOnlyList<FoundDirectory> Found, IReadOnlyList<MissingDirectory> Missing);
