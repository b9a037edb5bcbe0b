namespace VolumeManager.Tests.Hosts;

/// <summary>What a test waited for did not happen.</summary>
public sealed class NotInTimeException(string message) : Exception(message);
