namespace VolumeManager.TestSupport.Polling;

/// <summary>The condition that a test waited for did not hold before its deadline.</summary>
internal sealed class NotInTimeException(string message) : TimeoutException(message);
