using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace VolumeManager.Tests.Admin;

/// <summary>An authority of its own and a certificate of it for 127.0.0.1, in PEM files as an operator has them.</summary>
internal sealed class TestCertificate : IDisposable
{
    readonly ScratchFolder _folder = new();

    internal TestCertificate() => Renew();

    internal string Certificate => _folder.Of("cert.pem");

    internal string Key => _folder.Of("key.pem");

    internal string Authority => _folder.Of("ca.pem");

    /// <summary>The files hold another certificate, of another authority.</summary>
    internal void Renew()
    {
        using var authorityKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=volman tests", authorityKey, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, 0, critical: true));
        var now = DateTimeOffset.UtcNow;
        using var authority = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(2));
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var leaf = new CertificateRequest("CN=volman", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        leaf.CertificateExtensions.Add(names.Build());
        using var certificate = leaf.Create(authority, now.AddDays(-1), now.AddDays(1), RandomNumberGenerator.GetBytes(8));
        File.WriteAllText(Certificate, certificate.ExportCertificatePem());
        File.WriteAllText(Key, key.ExportPkcs8PrivateKeyPem());
        File.WriteAllText(Authority, authority.ExportCertificatePem());
    }

    public void Dispose() => _folder.Dispose();
}
