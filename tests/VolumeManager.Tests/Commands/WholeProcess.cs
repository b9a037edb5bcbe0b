namespace VolumeManager.Tests.Commands;

/// <summary>Tests that change or count what the whole process shares (its environment, its descriptors) run alone, after all others.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class WholeProcess
{
    internal const string Name = "whole process";
}
