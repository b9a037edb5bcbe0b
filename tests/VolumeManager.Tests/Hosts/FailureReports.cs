using System.Collections.Concurrent;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using Xunit.Abstractions;
using Xunit.Sdk;

[assembly: TestFramework("VolumeManager.Tests.Hosts.FailureReports", "VolumeManager.Tests")]

namespace VolumeManager.Tests.Hosts;

/// <summary>
/// Adds to the output of each failed test what its hosts were like when the assertion failed: logs, mounts, and rows of the catalog. xunit reports a failure
/// only after the test has disposed of its hosts, so the report is made when the exception is thrown, and kept until the test is reported.
/// </summary>
/// <remarks>Tests run in parallel, those of one collection one after the other: a host belongs to the collection in whose flow of execution it was made.</remarks>
public sealed class FailureReports : XunitTestFramework
{
    static readonly AsyncLocal<ITestCollection?> s_collection = new();
    static readonly ConcurrentDictionary<string, string> s_byMessage = new(StringComparer.Ordinal);

    // The same exception is thrown again at each await.
    static readonly ConditionalWeakTable<Exception, object> s_reported = [];

    [ThreadStatic]
    static bool t_isReporting;

    public FailureReports(IMessageSink diagnostics)
        : base(diagnostics) => AppDomain.CurrentDomain.FirstChanceException += Report;

    /// <summary>Gets the collection of the test that runs here.</summary>
    internal static ITestCollection? Collection => s_collection.Value;

    protected override ITestFrameworkExecutor CreateExecutor(AssemblyName assemblyName) => new Executor(assemblyName, SourceInformationProvider, DiagnosticMessageSink);

    static void Report(object? sender, FirstChanceExceptionEventArgs thrown)
    {
        if (thrown.Exception is not (XunitException or NotInTimeException) || t_isReporting || !s_reported.TryAdd(thrown.Exception, thrown)) return;
        t_isReporting = true;
        try
        {
            s_byMessage[thrown.Exception.Message] = TestHost.DescribeAll(Collection);
        }
        finally
        {
            t_isReporting = false;
        }
    }

    sealed class Executor(AssemblyName assembly, ISourceInformationProvider source, IMessageSink diagnostics) : XunitTestFrameworkExecutor(assembly, source, diagnostics)
    {
        protected override void RunTestCases(IEnumerable<IXunitTestCase> testCases, IMessageSink executionMessageSink, ITestFrameworkExecutionOptions executionOptions) =>
            _ = RunAsync(testCases, executionMessageSink, executionOptions);

        // Nobody waits for the task: a message tells that the run has ended.
        async Task RunAsync(IEnumerable<IXunitTestCase> testCases, IMessageSink sink, ITestFrameworkExecutionOptions options)
        {
            using var runner = new Runner(TestAssembly, testCases, DiagnosticMessageSink, new Sink(sink), options);
            await runner.RunAsync();
        }
    }

    sealed class Runner(ITestAssembly assembly, IEnumerable<IXunitTestCase> testCases, IMessageSink diagnostics, IMessageSink sink, ITestFrameworkExecutionOptions options)
        : XunitTestAssemblyRunner(assembly, testCases, diagnostics, sink, options)
    {
        protected override async Task<RunSummary> RunTestCollectionAsync(
            IMessageBus messageBus, ITestCollection testCollection, IEnumerable<IXunitTestCase> testCases, CancellationTokenSource cancellationTokenSource)
        {
            s_collection.Value = testCollection;
            return await base.RunTestCollectionAsync(messageBus, testCollection, testCases, cancellationTokenSource);
        }
    }

    sealed class Sink(IMessageSink inner) : LongLivedMarshalByRefObject, IMessageSink
    {
        public bool OnMessage(IMessageSinkMessage message) => inner.OnMessage(message is ITestFailed failed ? WithReport(failed) : message);

        static ITestFailed WithReport(ITestFailed failed) =>
            s_byMessage.Keys.FirstOrDefault(thrown => failed.Messages.Any(told => told.EndsWith(thrown, StringComparison.Ordinal))) is { } key && s_byMessage.TryRemove(key, out var report)
                ? new TestFailed(failed.Test, failed.ExecutionTime, failed.Output + report, failed.ExceptionTypes, failed.Messages, failed.StackTraces, failed.ExceptionParentIndices)
                : failed;
    }
}
