namespace VolumeManager.Usage;

/// <summary>What a directory tree holds, itself included.</summary>
/// <param name="Bytes">On disk, as <c>du -s --block-size=1</c> says.</param>
/// <param name="Files">All that has an inode, as <c>du -s --inodes</c> says.</param>
internal sealed record TreeUsage(long Bytes, long Files);
