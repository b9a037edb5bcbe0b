namespace VolumeManager.Copies;

/// <summary>How far a copy has come.</summary>
/// <param name="Phase"><c>copying</c>, <c>verifying</c> or <c>done</c>.</param>
/// <param name="Files">Files and directories so far.</param>
/// <param name="OfFiles">How many there were when the volume was last measured; null when it never was.</param>
internal sealed record CopyProgress(string Phase, long Files, long? OfFiles);
