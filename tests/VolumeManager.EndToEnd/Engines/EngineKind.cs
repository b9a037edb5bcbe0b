namespace VolumeManager.EndToEnd.Engines;

/// <summary>Which engine a test drives.</summary>
public enum EngineKind
{
    /// <summary>The one that is installed here: Debian 12 has 20.10.</summary>
    Installed,

    /// <summary>The one in the root file system that VOLMAN_E2E_ENGINE_ROOT_28 names.</summary>
    Docker28,
}
