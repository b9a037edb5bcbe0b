// Engines, containers and restarts: one after the other, so that two cores are enough and a failure has one cause.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
