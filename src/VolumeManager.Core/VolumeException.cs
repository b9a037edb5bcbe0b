using VolumeManager.Volumes;

namespace VolumeManager;

/// <summary>A request that is refused or failed, told in one sentence that names the thing, the reason and the cure. It becomes the answer's <c>Err</c>.</summary>
internal class VolumeException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>There is no living volume of that name.</summary>
internal sealed class NoSuchVolumeException(string name) : VolumeException($"no such volume: {(VolumeName.IsValid(name) ? name : Quoted.Text(name))}");

/// <summary>The volume is not what was meant any more: somebody has changed it since.</summary>
internal sealed class ChangedMeanwhileException(string name) : VolumeException($"volume {name} is not any more what it was when it was looked at: look at it again, then decide");
