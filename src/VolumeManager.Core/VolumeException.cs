using VolumeManager.Volumes;

namespace VolumeManager;

/// <summary>A request that is refused or failed, told in one sentence that names the thing, the reason and the cure. It becomes the answer's <c>Err</c>.</summary>
internal class VolumeException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>There is no living volume of that name.</summary>
internal sealed class NoSuchVolumeException(string name) : VolumeException($"no such volume: {(VolumeName.IsValid(name) ? name : Quoted.Text(name))}");
