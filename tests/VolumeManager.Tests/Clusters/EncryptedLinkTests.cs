using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using VolumeManager.Catalog;
using VolumeManager.Tests.Hosts;
using VolumeManager.TestSupport.Postgres;

namespace VolumeManager.Tests.Clusters;

/// <summary>A server that is reached over TLS: encrypted, and with its certificate checked where the connection string asks for that.</summary>
[Trait("Catalog", "postgres")]
public sealed class EncryptedLinkTests : IAsyncLifetime, IAsyncDisposable
{
    // Not the host's own files: the server's user must reach them, and nobody else its key.
    readonly ScratchFolder _folder = new();
    PostgresServer _server = null!;

    public async Task InitializeAsync()
    {
        await MakeCertificateAsync("server", "127.0.0.1");
        await MakeCertificateAsync("other", "elsewhere");
        await Command.OutputOfAsync("chmod", "a+rx", _folder.FullPath);
        if (PostgresUser.Other is { } user) await Command.OutputOfAsync("chown", $"{user.Uid}:{user.Gid}", PathOf("server.key"));
        _server = await PostgresServer.StartNewAsync(PostgresOptions.Fast with
        {
            Tcp = true,
            Settings = new Dictionary<string, string> { ["ssl"] = "on", ["ssl_cert_file"] = PathOf("server.pem"), ["ssl_key_file"] = PathOf("server.key") },
        });
        await using var database = Open("");
        await database.RunAsync(connection => PostgresSchema.MigrateAsync(connection, dryRun: false, CancellationToken.None), CancellationToken.None);
    }

    Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _folder.Dispose();
    }

    string PathOf(string file) => _folder.Of(file);

    string ConnectionString(string security) => _server.ConnectionString("postgres", extra: "Host=127.0.0.1;" + security);

    PostgresDatabase Open(string security) => new(ConnectionString(security), "h");

    async Task MakeCertificateAsync(string name, string address)
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=" + address, key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        if (IPAddress.TryParse(address, out var ip)) names.AddIpAddress(ip);
        else names.AddDnsName(address);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, true));
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        await File.WriteAllTextAsync(PathOf(name + ".pem"), certificate.ExportCertificatePem());
        await File.WriteAllTextAsync(PathOf(name + ".key"), key.ExportPkcs8PrivateKeyPem());
        File.SetUnixFileMode(PathOf(name + ".key"), UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    [Theory]
    [InlineData("SSL Mode=Require")]
    [InlineData("SSL Mode=VerifyCA;Root Certificate={0}/server.pem")]
    [InlineData("SSL Mode=VerifyFull;Root Certificate={0}/server.pem")]
    public async Task A_host_works_over_an_encrypted_link(string security)
    {
        var asked = string.Format(System.Globalization.CultureInfo.InvariantCulture, security, _folder.FullPath);
        await using var host = new TestHost("h", ConnectionString(asked), null, _server.ConnectionString("postgres", extra: "Pooling=false"));
        await host.StartAsync();
        Assert.Equal("", await host.Engine.CreateAsync("v"));
        Assert.Equal("", await host.Engine.MountAsync("v", "x"));
        Assert.Equal("x=1", await host.MountRowsAsync("v"));
        Assert.Equal("", await host.Engine.UnmountAsync("v", "x"));
        Assert.True(await _server.ScalarAsync<bool>("SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'volman@h'"));
    }

    [Theory]
    [InlineData("SSL Mode=VerifyFull;Root Certificate={0}/other.pem")]
    [InlineData("SSL Mode=VerifyFull")]
    public async Task A_server_that_cannot_prove_who_it_is_is_refused_and_the_certificate_is_named_as_the_reason(string security)
    {
        await using var database = Open(string.Format(System.Globalization.CultureInfo.InvariantCulture, security, _folder.FullPath));
        var refusal = await Assert.ThrowsAsync<CatalogAwayException>(() => database.ReadAsync($"SELECT 1", _ => { }, CancellationToken.None));
        Assert.Matches("^the catalog's database postgres on 127.0.0.1 does not answer \\(.*certificate.*\\): see to it, then try again$", refusal.Message);
    }

    [Fact]
    public async Task A_server_without_TLS_is_refused_where_TLS_is_required()
    {
        var plain = await SharedServer.GetAsync();
        await using var database = new PostgresDatabase(plain.ConnectionString("postgres", extra: "SSL Mode=Require"), "h");
        Assert.Contains("SSL", (await Assert.ThrowsAsync<CatalogAwayException>(() => database.ReadAsync($"SELECT 1", _ => { }, CancellationToken.None))).Message, StringComparison.Ordinal);
    }
}
