namespace VolumeManager.Tests.Admin;

/// <summary>A certificate that is renewed under a running daemon.</summary>
public sealed class CertificateRenewalTests(RemoteHost remote) : IClassFixture<RemoteHost>
{
    [Fact]
    public async Task A_new_certificate_is_served_soon_and_a_broken_one_never()
    {
        Assert.Equal(401, (await remote.SendAsync("GET", "/v1/status", null)).Status);
        // The client trusts the new authority alone, and is answered once its certificate is served.
        remote.Tls.Renew();
        await Assert.ThrowsAsync<HttpRequestException>(() => remote.SendAsync("GET", "/v1/status", null));
        remote.Clock.Advance(Timings.Real.CertificateCheck);
        Assert.Equal(401, (await remote.SendAsync("GET", "/v1/status", null)).Status);

        await File.WriteAllTextAsync(remote.Tls.Certificate, "half of a fi");
        remote.Clock.Advance(Timings.Real.CertificateCheck);
        Assert.Equal(401, (await remote.SendAsync("GET", "/v1/status", null)).Status);
    }
}
