using System.Collections.Concurrent;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using Xunit.Abstractions;
using Xunit.Sdk;

[assembly: TestFramework("VolumeManager.Tests.Hosts.FailureReports", "VolumeManager.Tests")]

namespace VolumeManager.Tests.Hosts;

/// <summary>
/// Adds to the output of each failed test what the hosts of this process were like when the assertion failed: logs, mounts, and rows of the catalog. xunit reports a failure
/// only after the test has disposed of its hosts, so the report is made when the exception is thrown, and kept until the test is reported.
/// </summary>
/// <remarks>Tests run in parallel: the report has the hosts of the tests that ran at that moment, too, each under the name of its directory.</remarks>
public sealed class FailureReports : XunitTestFramework
{
    static readonly ConcurrentDictionary<string, string> s_byMessage = new(StringComparer.Ordinal);

    // The same exception is thrown again at each await.
    static readonly ConditionalWeakTable<Exception, object> s_reported = [];

    [ThreadStatic]
    static bool t_isReporting;

    public FailureReports(IMessageSink diagnostics)
        : base(diagnostics) => AppDomain.CurrentDomain.FirstChanceException += Report;

    protected override ITestFrameworkExecutor CreateExecutor(AssemblyName assemblyName) => new Executor(assemblyName, SourceInformationProvider, DiagnosticMessageSink);

    static void Report(object? sender, FirstChanceExceptionEventArgs thrown)
    {
        if (thrown.Exception is not (XunitException or NotInTimeException) || t_isReporting || !s_reported.TryAdd(thrown.Exception, thrown)) return;
        t_isReporting = true;
        try
        {
            s_byMessage[thrown.Exception.Message] = TestHost.DescribeAll();
        }
        finally
        {
            t_isReporting = false;
        }
    }

    sealed class Executor(AssemblyName assembly, ISourceInformationProvider source, IMessageSink diagnostics) : XunitTestFrameworkExecutor(assembly, source, diagnostics)
    {
        protected override void RunTestCases(IEnumerable<IXunitTestCase> testCases, IMessageSink executionMessageSink, ITestFrameworkExecutionOptions executionOptions) =>
            base.RunTestCases(testCases, new Sink(executionMessageSink), executionOptions);
    }

    sealed class Sink(IMessageSink inner) : IMessageSink
    {
        public bool OnMessage(IMessageSinkMessage message) => inner.OnMessage(message is ITestFailed failed ? WithReport(failed) : message);

        static ITestFailed WithReport(ITestFailed failed) =>
            s_byMessage.Keys.FirstOrDefault(thrown => failed.Messages.Any(told => told.EndsWith(thrown, StringComparison.Ordinal))) is { } key && s_byMessage.TryRemove(key, out var report)
                ? new TestFailed(failed.Test, failed.ExecutionTime, failed.Output + report, failed.ExceptionTypes, failed.Messages, failed.StackTraces, failed.ExceptionParentIndices)
                : failed;
    }
}
