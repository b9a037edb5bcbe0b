using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Logging;

namespace VolumeManager.Admin;

/// <summary>Where the admin API is served over TLS, with a certificate that is read anew when its files change.</summary>
internal sealed partial class AdminListener
{
    readonly Settings _settings;
    readonly ILogger _log;
    readonly Lock _gate = new();
    (string Certificate, string Key) _read;
    SslServerAuthenticationOptions _options;
    long _lookedAt;

    /// <exception cref="VolumeException">The certificate or its key cannot be used.</exception>
    internal AdminListener(Settings settings, ILogger log)
    {
        (_settings, _log) = (settings, log);
        _read = Read();
        _options = Load(_read);
        _lookedAt = settings.Timings.Clock.GetTimestamp();
    }

    internal void Listen(KestrelServerOptions kestrel) => kestrel.Listen(_settings.AdminListen!, listener =>
    {
        // One request after the other: what a connection can ask for at a time is bounded.
        listener.Protocols = HttpProtocols.Http1;
        AdminConnection.MarkRemote(listener);
        listener.UseHttps(new TlsHandshakeCallbackOptions { OnConnection = _ => ValueTask.FromResult(Current()) });
    });

    SslServerAuthenticationOptions Current()
    {
        lock (_gate)
        {
            var clock = _settings.Timings.Clock;
            if (clock.GetElapsedTime(_lookedAt) < _settings.Timings.CertificateCheck) return _options;
            _lookedAt = clock.GetTimestamp();
            try
            {
                var read = Read();
                if (read == _read) return _options;
                _read = read;
                _options = Load(read);
                LogRenewed(_settings.AdminTlsCertificate);
            }
            catch (VolumeException e)
            {
                LogNotRenewed(e.Message);
            }

            return _options;
        }
    }

    string KeyFile => _settings.AdminTlsKey.Length > 0 ? _settings.AdminTlsKey : _settings.AdminTlsCertificate;

    (string Certificate, string Key) Read() => (Read("admin-tls-certificate", _settings.AdminTlsCertificate), Read("admin-tls-key", KeyFile));

    static string Read(string setting, string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new VolumeException($"{setting} {path} cannot be read ({e.Message.TrimEnd('.')}), and the admin API is not served without TLS: name a PEM file, or leave admin-listen out", e);
        }
    }

    SslServerAuthenticationOptions Load((string Certificate, string Key) pem)
    {
        try
        {
            var leaf = X509Certificate2.CreateFromPem(pem.Certificate, pem.Key);
            var chain = new X509Certificate2Collection();
            chain.ImportFromPem(pem.Certificate);
            return new SslServerAuthenticationOptions
            {
                ServerCertificateContext = SslStreamCertificateContext.Create(leaf, chain, offline: true),
                EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
            };
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw new VolumeException(
                $"admin-tls-certificate {_settings.AdminTlsCertificate} and its key {KeyFile} cannot be used ({e.Message.ReplaceLineEndings(" ").TrimEnd('.')}): name PEM files of a certificate and of its own key, without a password", e);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "The certificate {Certificate} was read anew")]
    partial void LogRenewed(string certificate);

    [LoggerMessage(Level = LogLevel.Error, Message = "The admin API goes on with the certificate that it has: {Reason}")]
    partial void LogNotRenewed(string reason);
}
