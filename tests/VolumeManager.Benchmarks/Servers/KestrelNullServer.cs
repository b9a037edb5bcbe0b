using System.IO.Pipelines;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace VolumeManager.Benchmarks.Servers;

/// <summary>
/// The hidden verb <c>null-server SOCKET close|keep BODYFILE</c>: volman's own HTTP set-up with nothing behind it.
/// What it takes is what Kestrel takes; the rest of volman's figure is volman's.
/// </summary>
internal static class KestrelNullServer
{
    internal static async Task RunAsync(string socketPath, bool keep, string bodyFile)
    {
        var body = await File.ReadAllBytesAsync(bodyFile);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.ListenUnixSocket(socketPath);
        });
        await using var app = builder.Build();
        app.Run(context => AnswerAsync(context, body, keep));
        await app.RunAsync();
    }

    static async Task AnswerAsync(HttpContext context, byte[] body, bool keep)
    {
        await ReadToEndAsync(context.Request.BodyReader, context.RequestAborted);
        context.Response.ContentType = "application/vnd.docker.plugins.v1.2+json";
        context.Response.ContentLength = body.Length;
        if (!keep)
            context.Response.Headers.Connection = "close";
        await context.Response.BodyWriter.WriteAsync(body, context.RequestAborted);
    }

    static async Task ReadToEndAsync(PipeReader request, CancellationToken cancel)
    {
        ReadResult read;
        do
        {
            read = await request.ReadAsync(cancel);
            request.AdvanceTo(read.Buffer.End);
        }
        while (!read.IsCompleted);
    }
}
