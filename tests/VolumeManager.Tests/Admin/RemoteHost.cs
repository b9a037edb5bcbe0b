using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Time.Testing;
using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Admin;

/// <summary>A host whose admin API is served over TLS, and those who ask it so.</summary>
public sealed class RemoteHost : IAsyncLifetime
{
    internal sealed record Reply(int Status, string Body, HttpResponseHeaders Headers)
    {
        internal string Detail => JsonDocument.Parse(Body).RootElement.GetProperty("detail").GetString()!;
    }

    public RemoteHost()
        : this(new TestHost())
    {
    }

    internal RemoteHost(TestHost host) => Host = host;

    public TestHost Host { get; }

    internal TestCertificate Tls { get; } = new();

    /// <summary>Stands still until a test advances it.</summary>
    internal FakeTimeProvider Clock { get; } = new();

    internal IPEndPoint Address { get; } = FreePort();

    internal OperatorClient Root { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        Host.Settings = Host.Settings with { AdminListen = Address, AdminTlsCertificate = Tls.Certificate, AdminTlsKey = Tls.Key, Timings = Host.Settings.Timings with { Clock = Clock } };
        await Host.StartAsync();
        Root = OperatorClient.Of(Host);
    }

    internal async Task<string> TokenAsync(string name, string role)
    {
        var made = await Root.SendAsync("POST", "/v1/tokens", $$"""{"name": "{{name}}", "role": "{{role}}"}""");
        Assert.Equal(200, made.Status);
        return made.Json.GetProperty("token").GetString()!;
    }

    /// <summary>One request over a connection of its own, from one of this machine's addresses, each of which has limits of its own.</summary>
    /// <param name="authorization">The whole header; null for none.</param>
    internal async Task<Reply> SendAsync(string method, string path, string? authorization, string? body = null, string from = "127.0.0.1")
    {
        using var http = Client(from);
        using var request = new HttpRequestMessage(new HttpMethod(method), path) { Content = body is null ? null : new StringContent(body, Encoding.UTF8, "application/json") };
        if (authorization is not null) Assert.True(request.Headers.TryAddWithoutValidation("Authorization", authorization));
        using var answer = await http.SendAsync(request);
        return new Reply((int)answer.StatusCode, await answer.Content.ReadAsStringAsync(), answer.Headers);
    }

    internal HttpClient Client(string from = "127.0.0.1")
    {
        var authorities = new X509Certificate2Collection();
        authorities.ImportFromPemFile(Tls.Authority);
        var handler = new SocketsHttpHandler { UseProxy = false, ConnectCallback = async (_, cancellation) => new NetworkStream(await ConnectAsync(from), ownsSocket: true) };
        handler.SslOptions.CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        handler.SslOptions.CertificateChainPolicy.CustomTrustStore.AddRange(authorities);
        return new HttpClient(handler) { BaseAddress = new Uri($"https://{Address}") };
    }

    internal async Task<Socket> ConnectAsync(string from = "127.0.0.1")
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Parse(from), 0));
        await socket.ConnectAsync(Address);
        return socket;
    }

    static IPEndPoint FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return (IPEndPoint)socket.LocalEndPoint!;
    }

    public async Task DisposeAsync()
    {
        Root.Dispose();
        await Host.DisposeAsync();
        Tls.Dispose();
    }
}
