using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Admin;

/// <summary>A certificate that is renewed under a running daemon.</summary>
public sealed class CertificateRenewalTests(RemoteHost remote) : IClassFixture<RemoteHost>
{
    [Fact]
    public async Task A_new_certificate_is_served_soon_and_a_broken_one_never()
    {
        Assert.Equal(401, (await remote.SendAsync("GET", "/v1/status", null)).Status);
        // Who trusts the new authority alone is answered once its certificate is served.
        remote.Tls.Renew();
        for (var deadline = DateTime.UtcNow.AddSeconds(60); ; await Task.Delay(100))
        {
            try
            {
                Assert.Equal(401, (await remote.SendAsync("GET", "/v1/status", null)).Status);
                break;
            }
            catch (HttpRequestException) when (DateTime.UtcNow < deadline)
            {
                // Still the one of before.
            }
        }

        await File.WriteAllTextAsync(remote.Tls.Certificate, "half of a fi");
        await Task.Delay(TestTimings.Current.CertificateCheck + TimeSpan.FromSeconds(1));
        Assert.Equal(401, (await remote.SendAsync("GET", "/v1/status", null)).Status);
    }
}
