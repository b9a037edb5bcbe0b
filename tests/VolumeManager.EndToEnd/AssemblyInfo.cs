using VolumeManager.EndToEnd;

// Most tests wait: for leases, for restarts, for an engine. Three collections at a time use two cores well, and each has machines, networks and folders of its own.
// `eng/test.sh --serial` runs one at a time, to investigate a failure.
[assembly: CollectionBehavior(MaxParallelThreads = 3)]
[assembly: TestCollectionOrderer(LongestFirst.Name, LongestFirst.Assembly)]
